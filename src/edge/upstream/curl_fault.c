/* SPDX-License-Identifier: Apache-2.0 */
/* curl_fault: which of our faults a result of libcurl is. */
#include "edge/upstream/curl_fault.h"

enum err curl_fault(CURLcode code)
{
    static const struct {
        CURLcode code;
        enum err fault;
    } rows[] = {
        { CURLE_OK, OK },
        { CURLE_COULDNT_CONNECT, PROVIDER_UNREACHABLE },
        { CURLE_COULDNT_RESOLVE_HOST, PROVIDER_UNREACHABLE },
        { CURLE_COULDNT_RESOLVE_PROXY, PROVIDER_UNREACHABLE },
        { CURLE_PROXY, PROVIDER_UNREACHABLE },
        { CURLE_INTERFACE_FAILED, PROVIDER_UNREACHABLE },
        { CURLE_OPERATION_TIMEDOUT, PROVIDER_CONNECT_TIMEOUT }, /* of the system's connect() */
        { CURLE_SSL_CONNECT_ERROR, PROVIDER_TLS },
        { CURLE_PEER_FAILED_VERIFICATION, PROVIDER_TLS },
        { CURLE_SSL_CERTPROBLEM, PROVIDER_TLS },
        { CURLE_SSL_CIPHER, PROVIDER_TLS },
        { CURLE_SSL_CACERT_BADFILE, PROVIDER_TLS },
        { CURLE_SSL_ISSUER_ERROR, PROVIDER_TLS },
        { CURLE_SSL_INVALIDCERTSTATUS, PROVIDER_TLS },
        { CURLE_GOT_NOTHING, PROVIDER_CUT },
        { CURLE_PARTIAL_FILE, PROVIDER_CUT },
        { CURLE_RECV_ERROR, PROVIDER_CUT },
        { CURLE_SEND_ERROR, PROVIDER_CUT },
        { CURLE_UNSUPPORTED_PROTOCOL, PROVIDER_GARBAGE }, /* not HTTP/1.x: the URL was checked */
        { CURLE_WEIRD_SERVER_REPLY, PROVIDER_GARBAGE },
        { CURLE_BAD_CONTENT_ENCODING, PROVIDER_GARBAGE },
        { CURLE_FILESIZE_EXCEEDED, PROVIDER_GARBAGE },
        { CURLE_OUT_OF_MEMORY, WEIR_NO_MEMORY },
        { CURLE_URL_MALFORMAT, WEIR_CONFIG },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].code == code)
            return rows[i].fault;
    }
    return WEIR_DEFECT;
}
