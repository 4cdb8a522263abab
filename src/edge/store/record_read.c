/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_read: finds the records in a window of a journal, and what is none. Pure; nothing is allocated.
 */
#include "edge/store/record.h"

/* The version that brought the type. */
static unsigned version_first(unsigned type)
{
    return type < RECORD_ROUTE ? 1 : 2;
}

/* A record may begin here, as far as the header (or what there is of it) says. */
static bool header_is_plausible(const uint8_t *bytes, size_t len)
{
    if (len >= 2 && record_length(bytes) > RECORD_BYTES_MAX)
        return false;
    if (len >= 3 && (bytes[2] < RECORD_GROUP || bytes[2] > RECORD_LABEL))
        return false;
    return len < 4 || (bytes[3] >= version_first(bytes[2]) && bytes[3] <= RECORD_VERSION);
}

static bool record_is_sound(const uint8_t *bytes)
{
    uint32_t want = (uint32_t)bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 |
                    (uint32_t)bytes[7] << 24;

    return record_checksum(bytes) == want;
}

enum record_step record_next(struct record_reader *reader, struct record *out)
{
    while (reader->at < reader->len) {
        const uint8_t *bytes = reader->bytes + reader->at;
        size_t left = reader->len - reader->at;

        if (header_is_plausible(bytes, left)) {
            bool is_whole = left >= RECORD_HEADER_BYTES && left >= record_length(bytes);
            if (!is_whole && !reader->is_final)
                return RECORD_STEP_MORE;
            if (is_whole && record_is_sound(bytes) && record_decode(bytes, out)) {
                if (reader->gap_bytes > 0) {
                    reader->gap_bytes = 0;
                    return RECORD_STEP_CORRUPT;
                }
                reader->record_at = reader->at;
                reader->at += record_length(bytes);
                return RECORD_STEP_FOUND;
            }
        }
        reader->at++;
        reader->gap_bytes++;
    }
    return RECORD_STEP_MORE;
}
