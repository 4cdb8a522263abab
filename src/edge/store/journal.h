/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: the bytes of the ledger's records. Pure: writers into a buffer, a reader over bytes.
 *
 *     segment = magic, record*        record = length (u32), checksum (u32), kind (u8), payload
 *
 * Integers are little-endian. The checksum covers kind and payload. A record that does not fit or whose
 * checksum is wrong ends the segment: after a crash that is its torn tail.
 *
 * May include: base, core/money.
 */
#ifndef WEIR_EDGE_STORE_JOURNAL_H
#define WEIR_EDGE_STORE_JOURNAL_H

#include "base/base.h"
#include "edge/store/store.h"

#define JOURNAL_MAGIC "WEIRWJ01"
#define JOURNAL_MAGIC_BYTES 8u
#define JOURNAL_HEAD_BYTES 9u
#define JOURNAL_PAYLOAD_MAX 4096u
#define JOURNAL_TEXT_MAX 200u

enum journal_kind { JOURNAL_BEGIN = 1, JOURNAL_CALL_BEGIN, JOURNAL_CALL_END, JOURNAL_END };

struct journal_record {
    enum journal_kind kind;
    union {
        struct ledger_query begin;
        struct ledger_call call_begin;
        struct ledger_call_end call_end;
        struct ledger_end end;
    };
};

void journal_write(struct buf *out, const struct journal_record *record);

enum journal_read {
    JOURNAL_RECORD, /* *out is set, *used is its length; its texts point into the bytes */
    JOURNAL_MORE, /* the bytes end within a record */
    JOURNAL_BROKEN, /* no record starts here */
};
NODISCARD enum journal_read journal_read(str bytes, struct journal_record *out, size_t *used);

#endif
