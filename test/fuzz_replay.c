/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_replay: the main of a fuzz target in an ordinary build: runs it once over every file of the
 * corpus directories named, and over every prefix of each.
 */
#include <dirent.h>

#include "test/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path)
{
    struct buf content = { 0 };
    FILE *file = fopen(path, "rb");

    if (!file)
        return false;
    for (;;) {
        char *at = buf_reserve(&content, 4096);
        size_t n = at ? fread(at, 1, 4096, file) : 0;
        content.len += n;
        if (n == 0)
            break;
    }
    fclose(file);
    size_t step = content.len / 64 + 1;
    for (size_t n = 0; n < content.len; n += step)
        LLVMFuzzerTestOneInput((const uint8_t *)content.ptr, n);
    LLVMFuzzerTestOneInput((const uint8_t *)content.ptr, content.len);
    buf_fini(&content);
    return true;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            fprintf(stderr, "no corpus at %s\n", argv[i]);
            failed++;
            continue;
        }
        for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (replay_file(path))
                passed++;
            else
                failed++;
        }
        closedir(dir);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
