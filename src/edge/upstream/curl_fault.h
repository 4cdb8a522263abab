/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_fault: the fault of a transfer's result. Pure.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_UPSTREAM_CURL_FAULT_H
#define WEIR_EDGE_UPSTREAM_CURL_FAULT_H

#include <curl/curl.h>

#include "base/base.h"

enum err curl_fault(CURLcode code); /* WEIR_DEFECT for what should not happen */

#endif
