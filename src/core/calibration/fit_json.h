/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit_json: a calibration's fit as JSON, both ways. Written and read again it is the same to the bit when its numbers
 * have at most six decimals.
 */
#ifndef WEIR_CORE_CALIBRATION_FIT_JSON_H
#define WEIR_CORE_CALIBRATION_FIT_JSON_H

#include "core/json/json.h"
#include "core/stats/calibration.h"

/* {"kind":"none"|"platt"|"isotonic","n":…,"slope":…,"intercept":…,"knots":[[score,value],…]}; only what its kind needs. */
void fit_write(const struct fit *fit, struct buf *out);
/* False for anything that fit_write does not write: knots out of order, values outside [0, 1], unknown kinds. */
bool fit_read(struct json value, struct fit *out);
/* Rounds to six decimals what fit_write writes. */
void fit_round(struct fit *fit);

#endif
