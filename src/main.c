/* SPDX-License-Identifier: Apache-2.0 */
/* weir: the program. Everything it can do is a command of app/cli. */
#include <signal.h>

#include "app/cli/cli.h"

int main(int argc, char **argv)
{
    signal(SIGPIPE,
           SIG_IGN); /* a peer that went away is a result of write(2), not the end of weir */
    return cli_main(argc, argv);
}
