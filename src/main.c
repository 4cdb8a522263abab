/* SPDX-License-Identifier: Apache-2.0 */
/* weir: the program. Everything it can do is a command of app/cli. */
#include <signal.h>

#include "app/cli/cli.h"

int main(int argc, char **argv)
{
    /* A peer that went away and a file that may not grow are results of write(2), not the end of weir. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return cli_main(argc, argv);
}
