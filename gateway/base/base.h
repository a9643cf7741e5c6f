/*
 * base.h - the ground every stage stands on; includes all of base but config.h (which brings jansson).
 *
 *   status.h    what the caller does next            arena.h    memory of one record, freed whole
 *   str.h       views of bytes                       buf.h      capped growable bytes
 *   source.h    offset -> line and column            diag.h     the one diagnostic type
 *   decimal.h   exact decimals                       datetime.h partial dates and times
 *   utf8.h      strict UTF-8                         map.h      string -> pointer
 *   host.h      clock, randomness, files, UUIDs      limits.h   default caps
 *   zone.h      local times and their offsets   config.h    JSON configuration files
 *   socket.h    addresses that are listened on  secret.h    files that hold a secret
 */
#ifndef KETLINK_BASE_BASE_H
#define KETLINK_BASE_BASE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/datetime.h"
#include "base/decimal.h"
#include "base/diag.h"
#include "base/host.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/source.h"
#include "base/status.h"
#include "base/str.h"
#include "base/utf8.h"
#include "base/zone.h"

#endif
