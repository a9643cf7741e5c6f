/* doctor_server.c - checks of the way to the server and of the server: one GET of /metadata, one search that
 * matches nothing. No patient's data is involved, nothing is written. */
#include "cli/doctor.h"
#include "delivery/message.h"
#include "delivery/token.h"

enum { DAY_MS = 86400000, SKEW_WARN_MS = 60000, SKEW_FAIL_MS = 300000, EXPIRY_WARN_DAYS = 14 };

/* --- the way there; what failed names itself, what came before it is fine --- */

static bool check_address(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct delivery_probe *probe = &doctor->probe;
  enum status status = doctor->destination.protocol == DELIVERY_MLLP
                           ? delivery_message_probe(doctor->client, doctor->cli->arena, probe)
                           : delivery_probe(doctor->client, doctor->cli->arena, probe);
  if (status != STATUS_OK)
    return cli_doctor_fail(doctor, line, STATUS_NOMEM, "", "no request could be made");
  if (probe->answer.phase == DELIVERY_CONNECT && !probe->resolved)
    return cli_doctor_fail(doctor, line, STATUS_UNAVAILABLE,
                           "check the host name in base, and the resolver of this machine", "%.*s",
                           STR_ARG(probe->answer.reason));
  return cli_doctor_ok(doctor, line, "%.*s", STR_ARG(probe->address.len ? probe->address : STR("found")));
}

static bool check_connection(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  const struct delivery_answer *answer = &doctor->probe.answer;
  if (answer->phase <= DELIVERY_CONNECT)
    return cli_doctor_fail(
        doctor, line, answer->phase == DELIVERY_CONNECT ? STATUS_UNAVAILABLE : STATUS_CONFIG,
        "check the port in base, firewalls, and that the server runs", "%.*s", STR_ARG(answer->reason));
  return cli_doctor_ok(doctor, line, "made");
}

static bool check_tls(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  const struct delivery_probe *probe = &doctor->probe;
  if (doctor->destination.plain) return cli_doctor_ok(doctor, line, "none: in clear, to this machine");
  if (probe->answer.phase == DELIVERY_TLS)
    return cli_doctor_fail(
        doctor, line, STATUS_CONFIG,
        "the server's certificate must be valid now, for this host name, from a trusted authority "
        "(caFile); TLS 1.2 or newer",
        "%.*s", STR_ARG(probe->answer.reason));
  if (!probe->tls.len)
    return cli_doctor_fail(doctor, line, STATUS_UNAVAILABLE, "check that base leads to an HTTPS server",
                           "%.*s", STR_ARG(probe->answer.reason));
  return cli_doctor_ok(doctor, line, "%.*s, %.*s, a chain of %d, the host name fits", STR_ARG(probe->tls),
                       STR_ARG(probe->cipher), probe->chain);
}

static bool check_certificate(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  int64_t now = doctor->cli->host->now_ms(doctor->cli->host->context);
  int64_t days = (doctor->probe.expires_ms - now) / DAY_MS;
  if (doctor->destination.plain) return cli_doctor_ok(doctor, line, "none");
  if (!doctor->probe.expires_ms) return cli_doctor_warn(doctor, line, "", "when it ends is not known");
  if (days < EXPIRY_WARN_DAYS)
    return cli_doctor_warn(doctor, line, "ask who runs the server to renew it", "ends in %lld days",
                           (long long)days);
  return cli_doctor_ok(doctor, line, "ends in %lld days", (long long)days);
}

/* A clock that is wrong refuses good certificates and makes tokens that are too old. */
static bool check_clock(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  static const char fix[] = "set the clock of this machine by NTP";
  int64_t now = doctor->cli->host->now_ms(doctor->cli->host->context);
  int64_t skew = now - doctor->probe.answer.server_ms, size = skew < 0 ? -skew : skew;
  if (!doctor->probe.answer.server_ms) return cli_doctor_warn(doctor, line, "", "the server names no time");
  if (size >= SKEW_FAIL_MS)
    return cli_doctor_fail(doctor, line, STATUS_CONFIG, fix, "%lld s %s the server's", (long long)size / 1000,
                           skew < 0 ? "behind" : "ahead of") ||
           true;
  if (size >= SKEW_WARN_MS)
    return cli_doctor_warn(doctor, line, fix, "%lld s %s the server's", (long long)size / 1000,
                           skew < 0 ? "behind" : "ahead of");
  return cli_doctor_ok(doctor, line, "within a minute of the server's");
}

/* --- the service --- */

static bool check_metadata(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  const struct delivery_answer *answer = &doctor->probe.answer;
  if (!answer->complete)
    return cli_doctor_fail(doctor, line, STATUS_UNAVAILABLE, "try again; then ask who runs the server",
                           "no whole answer: %.*s", STR_ARG(answer->reason));
  if (answer->status == 401 || answer->status == 403)
    return cli_doctor_fail(doctor, line, STATUS_DENIED, "get a new token, or ask for /metadata without one",
                           "HTTP status %ld", answer->status);
  if (answer->status != 200)
    return cli_doctor_fail(doctor, line, STATUS_CONFIG, "check the path in base: /metadata must be below it",
                           "HTTP status %ld", answer->status);
  enum status status = delivery_capability_read(answer->body, doctor->cli->arena, &doctor->capability,
                                                &doctor->capability_fault);
  if (status != STATUS_OK)
    return cli_doctor_fail(doctor, line, STATUS_CONFIG, "check the path in base: is it a FHIR service?", "%s",
                           doctor->capability_fault ? doctor->capability_fault : status_name(status));
  doctor->described = true;
  return cli_doctor_ok(doctor, line, "a CapabilityStatement of %zu bytes", answer->body.len);
}

/* An access token of SMART Backend Services, as a delivery would ask for it. */
static bool check_token_endpoint(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct delivery_answer answer;
  struct delivery_token_view view;
  if (doctor->destination.auth != DELIVERY_AUTH_SMART)
    return cli_doctor_ok(doctor, line, "not needed: no SMART Backend Services");
  if (doctor->no_credential) {
    line->detail = STR("there is no key set to sign with");
    return true;
  }
  if (delivery_token_try(doctor->client, doctor->cli->arena, &answer, &view) != STATUS_OK)
    return cli_doctor_fail(doctor, line, STATUS_NOMEM, "", "no request could be made");
  if (!view.url.len)
    return cli_doctor_fail(doctor, line, answer.as_status, "mend what it says, then ketlink doctor again",
                           "%.*s", STR_ARG(answer.reason));
  return cli_doctor_ok(doctor, line, "a token from %.*s, for %lld s", STR_ARG(view.url),
                       (long long)(view.left_ms + 999) / 1000);
}

static const char *searched_type(const struct cli_doctor *doctor) {
  static const char *const types[] = {"Patient", "Observation"};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    const struct delivery_type *type = delivery_capability_type(&doctor->capability, str_of(types[i]));
    if (type && type->can & DELIVERY_CAN_SEARCH) return types[i];
  }
  return NULL;
}

static bool check_token(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct delivery_answer answer;
  const char *type = searched_type(doctor);
  if (doctor->no_credential) {
    line->detail = STR("there is none to try");
    return true;
  }
  if (!type) return cli_doctor_warn(doctor, line, "", "no search to try it with");
  if (delivery_probe_token(doctor->client, type, doctor->cli->arena, &answer) != STATUS_OK)
    return cli_doctor_fail(doctor, line, STATUS_NOMEM, "", "no request could be made");
  if (answer.status == 401)
    return cli_doctor_fail(doctor, line, STATUS_DENIED, "get a new token: this one is wrong or has ended",
                           "refused (HTTP status 401)");
  if (answer.status == 403)
    return cli_doctor_fail(doctor, line, STATUS_DENIED, "ask for the scopes: this token may not search",
                           "known, but not permitted to search %s (HTTP status 403)", type);
  if (answer.verdict != DELIVERY_DONE)
    return cli_doctor_warn(doctor, line, "try it: send a synthetic record",
                           "not known: a search of %s gives %.*s", type, STR_ARG(answer.reason));
  return cli_doctor_ok(doctor, line,
                       doctor->destination.auth == DELIVERY_AUTH_NONE ? "none needed" : "accepted");
}

const struct cli_doctor_check cli_doctor_server[] = {
    {"address", DOCTOR_WITH_DESTINATION, check_address},
    {"connection", DOCTOR_WITH_DESTINATION, check_connection},
    {"tls", DOCTOR_WITH_DESTINATION, check_tls},
    {"certificate", DOCTOR_WITH_DESTINATION, check_certificate},
    {"clock", DOCTOR_WITH_DESTINATION, check_clock},
    {"metadata", DOCTOR_WITH_DESTINATION, check_metadata},
    {"authorization", DOCTOR_WITH_DESTINATION, check_token_endpoint},
    {"token", DOCTOR_WITH_DESTINATION, check_token},
};
const size_t cli_doctor_server_count = sizeof cli_doctor_server / sizeof cli_doctor_server[0];

/* A receiver of HL7 v2 says nothing of itself: a connection is made and closed, nothing is sent. */
const struct cli_doctor_check cli_doctor_receiver[] = {
    {"address", DOCTOR_WITH_DESTINATION, check_address},
    {"connection", DOCTOR_WITH_DESTINATION, check_connection},
    {"tls", DOCTOR_WITH_DESTINATION, check_tls},
    {"certificate", DOCTOR_WITH_DESTINATION, check_certificate},
};
const size_t cli_doctor_receiver_count = sizeof cli_doctor_receiver / sizeof cli_doctor_receiver[0];
