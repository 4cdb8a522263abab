-- SPDX-License-Identifier: Apache-2.0
-- wrk's request: a chat completion of exactly 400 bytes.
local head = '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "'
local tail = '"}]}'
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.body = head .. string.rep("How many words? ", 30):sub(1, 400 - #head - #tail) .. tail
