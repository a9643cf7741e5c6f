/*
 * shrunk.h - private to cli: what is said when a file that is mapped becomes shorter, or its disk fails, while it is read.
 *
 * Large inputs and sets of CSV files are mapped. Reading where a file has no bytes any more is SIGBUS, and there is nothing to
 * go on with: the program says which file it was and ends with CLI_IO. A file of -o that is not whole yet has no name, and what
 * a guard stands for is removed (guard.h).
 */
#ifndef KETLINK_CLI_SHRUNK_H
#define KETLINK_CLI_SHRUNK_H

/* Once, before any file is mapped. */
void cli_shrunk_watch(void);

#endif
