/* cmd_doctor_elsewhere.c - the row of `ketlink doctor` in the program that hands it to its sibling. */
#include "cli/doctor_row.h"

const struct cli_command cli_doctor_elsewhere = {CLI_DOCTOR_ROW, .program = "ketlink-send"};
