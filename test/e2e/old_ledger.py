# SPDX-License-Identifier: Apache-2.0
"""A ledger as weir wrote it before there were rollups (schema version 2), for tests of what becomes of it.

    old_ledger.make(directory, [old_ledger.query(started=1774746000000000, domain="stem", cost=1500, label=1.0), …])
"""
import sqlite3

SCHEMA = """
CREATE TABLE queries (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, tenant TEXT NOT NULL, domain TEXT NOT NULL,
 requested_model TEXT NOT NULL, strategy TEXT NOT NULL, arm TEXT NOT NULL, is_stream INTEGER NOT NULL, reserved_nano_usd INTEGER,
 fault TEXT, http_status INTEGER NOT NULL, is_truncated INTEGER NOT NULL, model TEXT NOT NULL, hrm_confidence REAL,
 trm_confidence REAL, confidence REAL, latency_us INTEGER NOT NULL, calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
 output_tokens INTEGER NOT NULL, cost_nano_usd INTEGER);
CREATE TABLE calls (query_id INTEGER NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL,
 provider TEXT NOT NULL, reserved_nano_usd INTEGER, is_interrupted INTEGER NOT NULL, fault TEXT, http_status INTEGER NOT NULL,
 attempts INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
 cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, is_usage_known INTEGER NOT NULL,
 is_usage_estimated INTEGER NOT NULL, cost_nano_usd INTEGER, price_input_nano_usd INTEGER, price_output_nano_usd INTEGER,
 price_cached_nano_usd INTEGER, latency_us INTEGER NOT NULL, first_byte_us INTEGER NOT NULL, is_simulated INTEGER NOT NULL,
 PRIMARY KEY (query_id, number)) WITHOUT ROWID;
ALTER TABLE queries ADD COLUMN raw_hrm_confidence REAL;
ALTER TABLE queries ADD COLUMN raw_trm_confidence REAL;
ALTER TABLE queries ADD COLUMN raw_confidence REAL;
ALTER TABLE queries ADD COLUMN is_calibrated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queries ADD COLUMN answer_hash INTEGER;
CREATE TABLE routes (query_id INTEGER PRIMARY KEY, scorer TEXT NOT NULL, score REAL, seed_score INTEGER, words_score INTEGER,
 strategy TEXT NOT NULL, model TEXT NOT NULL, propensity REAL, epsilon REAL NOT NULL, is_explored INTEGER NOT NULL,
 domain TEXT NOT NULL, domain_probability REAL, quality REAL, cost_nano_usd INTEGER, reasons TEXT NOT NULL, features BLOB NOT NULL);
CREATE TABLE labels (query_id INTEGER NOT NULL, source TEXT NOT NULL, value REAL NOT NULL, is_noisy INTEGER NOT NULL,
 labelled INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (query_id, source)) WITHOUT ROWID;
PRAGMA user_version = 2;
"""


def query(started, domain="stem", tenant="acme", arm="", strategy="hrm_trm", model="gpt-4o-mini", cost=1500, fault=None, label=None):
    """cost in nano-dollars, a multiple of 150: that many input tokens of gpt-4o-mini."""
    return dict(started=started, domain=domain, tenant=tenant, arm=arm, strategy=strategy, model=model, cost=cost, fault=fault, label=label)


def make(directory, queries):
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = sqlite3.connect(directory / "ledger.db")
    database.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)
    for i, q in enumerate(queries):
        identity = 1_000_000 + i
        tokens = q["cost"] // 150
        status = 502 if q["fault"] else 200
        database.execute("INSERT INTO queries VALUES (?,?,?,?,'weir/auto',?,?,0,9000,?,?,0,?,0.75,0.5,0.5,?,1,?,0,?,0.75,0.5,0.5,0,NULL)",
                         (identity, q["started"], q["tenant"], q["domain"], q["strategy"], q["arm"], q["fault"], status, q["model"],
                          1000 * (i + 1), tokens, q["cost"]))
        database.execute("INSERT INTO calls VALUES (?,1,'plan',?,'openai',9000,0,?,?,1,?,0,0,0,0,1,0,?,150,600,75,900,800,0)",
                         (identity, q["model"], q["fault"], status, tokens, q["cost"]))
        if q["label"] is not None:
            database.execute("INSERT INTO labels VALUES (?,'feedback',?,0,1,'')", (identity, q["label"]))
    database.commit()
    database.close()
