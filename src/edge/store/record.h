/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: the bytes of a journal, pure: records to bytes, and bytes that anyone may have broken to records.
 *
 * A journal is a sequence of groups, each written by one write(2). All integers are little-endian.
 *
 *     record  = length:u16 (of the payload)  type:u8  version:u8  crc32c:u32 (of the other four and the payload)  payload
 *     group   = GROUP record, whose payload is the length:u32 of the records that follow it, then those records
 *     payload = zigzag LEB128 integers, texts as length:u8 and bytes, doubles as their eight bytes, in a fixed order
 *
 * A BEGIN ends with the id of its query's key where it has one.
 *
 * Version 2 added the records of routes and labels, and what stands behind the latency in an END; version 3 the moment when a call
 * began. A record of an older version is read as what it was; ours are written as version 3.
 *
 * A group that the file ends within was never acknowledged and counts for nothing: group_bytes lets a reader see that. A fault
 * is kept by its name (empty: OK), so a journal survives a change of the faults table.
 */
#ifndef WEIR_EDGE_STORE_RECORD_H
#define WEIR_EDGE_STORE_RECORD_H

#include "edge/store/store.h"

enum record_type {
    RECORD_GROUP = 1,
    RECORD_BEGIN,
    RECORD_CALL_BEGIN,
    RECORD_CALL_DONE,
    RECORD_END,
    RECORD_ROUTE,
    RECORD_LABEL,
};

#define RECORD_VERSION 3
#define RECORD_HEADER_BYTES ((size_t)8)
#define RECORD_GROUP_BYTES (RECORD_HEADER_BYTES + 4)
#define RECORD_BYTES_MAX ((size_t)2048) /* header and payload of any record */
#define RECORD_TEXT_MAX LEDGER_TEXT_MAX

/* The texts of a decoded record point into the bytes it was decoded from. */
struct record {
    enum record_type type;
    union {
        uint32_t group_bytes;
        struct ledger_query begin;
        struct ledger_call call_begin;
        struct ledger_call_end call_done;
        struct ledger_end end;
        struct ledger_route route;
        struct ledger_label label;
    };
};

/* Each writes one whole record to `out`, which has room for RECORD_BYTES_MAX, and gives its length. */
size_t record_put_group(uint8_t *out, uint32_t group_bytes);
size_t record_put_begin(uint8_t *out, const struct ledger_query *q);
size_t record_put_call_begin(uint8_t *out, const struct ledger_call *c);
size_t record_put_call_done(uint8_t *out, const struct ledger_call_end *c);
size_t record_put_end(uint8_t *out, const struct ledger_end *e);
size_t record_put_route(uint8_t *out, const struct ledger_route *r);
size_t record_put_label(uint8_t *out, const struct ledger_label *label);

/* The length and type of the record at `bytes`, whose header is known to be sound. */
size_t record_length(const uint8_t *bytes);
enum record_type record_type(const uint8_t *bytes);
/* What its header should say: of all of it but the checksum itself. */
uint32_t record_checksum(const uint8_t *bytes);
/* Decodes a record whose checksum was verified before. False when its payload makes no sense. */
bool record_decode(const uint8_t *bytes, struct record *out);
/* The query that a record is about; 0 for a group. */
int64_t record_query(const struct record *r);

enum record_step {
    RECORD_STEP_FOUND, /* *out is the next record */
    RECORD_STEP_CORRUPT, /* bytes before the next sound record were skipped: said once per gap */
    RECORD_STEP_MORE, /* nothing whole is left: at most RECORD_BYTES_MAX bytes from `at` on, none when is_final */
};

/* Reads a window of a journal. Zero-initialise, set bytes and len. */
struct record_reader {
    const uint8_t *bytes;
    size_t len;
    bool is_final; /* nothing follows the window */
    size_t at; /* everything before was used up */
    size_t record_at; /* where the record found last begins */
    uint64_t gap_bytes; /* skipped since the last sound record; at the end, a tail that is none */
};

/* After RECORD_STEP_MORE the caller may move the bytes from `at` on to the front of a fuller window and go on. */
enum record_step record_next(struct record_reader *reader, struct record *out);

/* CRC-32C (Castagnoli), as in RFC 3720. */
uint32_t record_crc32c(const uint8_t *bytes, size_t len, uint32_t crc);

#endif
