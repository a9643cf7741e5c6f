/* simulate_row.h - private to cli: what `ketlink simulate` looks like, for the program that starts it and the one that
 * carries it out. */
#ifndef KETLINK_CLI_SIMULATE_ROW_H
#define KETLINK_CLI_SIMULATE_ROW_H

#include "cli/cli.h"

static const struct cli_option simulate_send_options[] = {
    {"rate", 'r', "N", "messages a second (default: as fast as they are answered)"},
    {"repeat", 0, "N", "all of them so many times (default: 1)"},
    {"count", 'n', "N", "no more than so many messages"},
    {"same-ids", 0, NULL, "control ids as they stand in the files; else each message gets a fresh one"},
    {"timeout", 't', "SECONDS", "for an acknowledgement, to an address (default: 30)"},
};
static const struct cli_option simulate_listen_options[] = {
    {"fault", 'f', "FAULT",
     "late, none, cut, AE, AR, wrong-id, two, slow or garbage: for each message, or FAULT:N for each Nth, FAULT:P% for P in a "
     "hundred by chance. Repeatable; the first whose turn it is"},
    {"seed", 0, "N", "of chance, to have a run again (default: drawn, and told)"},
    {"late", 0, "SECONDS", "how late the fault `late` is (default: 40)"},
    {"slow", 0, "MS", "between two bytes of the fault `slow` (default: 100)"},
    {"count", 'n', "N", "end after so many messages (default: at SIGINT or SIGTERM)"},
    {"certificate", 0, "FILE", "TLS: the listener's certificate, PEM"},
    {"key", 0, "FILE", "and its key, readable by its owner only"},
    {"client-ca", 0, "FILE", "whose clients may connect; needed where others than this host can"},
    {"keep", 0, "FOLDER", "write each message into this folder, readable by its owner only: patients' data"},
};

#define CLI_SIMULATE_SEND_ROW                                                                                 \
  .name = "simulate", .verb = "send", .arguments = "ADDRESS FILE…",                                           \
  .summary = "send HL7 v2 messages to a listener, as a clinic's software would",                              \
  .examples =                                                                                                 \
      "  ketlink simulate send 127.0.0.1:2575 messages/        each message of a folder (*.hl7), and how it is answered\n" \
      "  ketlink simulate send --rate 5 -n 1000 --repeat 1000 127.0.0.1:2575 oru.hl7\n"                       \
      "  ketlink simulate send hospital oru.hl7                address, TLS and client certificate of a destination\n" \
      "  ketlink simulate send --same-ids 127.0.0.1:2575 oru.hl7   the same message again: is it taken once?\n" \
      "\nADDRESS is HOST:PORT of this machine, in clear, or a destination with \"protocol\": \"mllp\". A line a message:\n" \
      "FILE:LINE, control id, event, code of the acknowledgement (none: there was none), what follows of it, time.\n" \
      "Exit status: 0 all were accepted, 1 some were not, 69 nobody answered.\n",                             \
  CLI_OPTIONS(simulate_send_options), .min_arguments = 2, .max_arguments = 4096

#define CLI_SIMULATE_LISTEN_ROW                                                                               \
  .name = "simulate", .verb = "listen", .arguments = "ADDRESS",                                               \
  .summary = "acknowledge HL7 v2 messages, as an EHR would, with chosen faults",                              \
  .examples =                                                                                                 \
      "  ketlink simulate listen 127.0.0.1:2575                      answers AA; CA where MSH-15 asks for it\n" \
      "  ketlink simulate listen 127.0.0.1:2575 --fault AE:3         each third message is an error to it\n"  \
      "  ketlink simulate listen 127.0.0.1:2575 --fault none:5% --fault late:5% --seed 7\n"                   \
      "  ketlink simulate listen 0.0.0.0:2575 --certificate server.pem --key server.key --client-ca ca.pem\n" \
      "\nA line a message: its number, control id, event, code of the answer (none: there was none), fault. Nothing of a\n" \
      "message is kept or shown but that, unless --keep asks for it.\n",                                      \
  CLI_OPTIONS(simulate_listen_options), .min_arguments = 1, .max_arguments = 1

#endif
