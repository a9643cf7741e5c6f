/* internal.h - private to relay: what its parts share. */
#ifndef KETLINK_RELAY_INTERNAL_H
#define KETLINK_RELAY_INTERNAL_H

#include "delivery/delivery.h"
#include "delivery/loop.h"
#include "outbox/outbox.h"
#include "pipeline/pipeline.h"
#include "relay/config.h"
#include "relay/fiber.h"
#include "relay/relay.h"

struct event;
struct event_base;
struct relay;
struct relay_sender;
struct relay_folder;
struct relay_webhook;
struct relay_listener;
struct relay_mapper;
struct relay_committer;
struct relay_promise;
struct relay_program;
struct relay_task;

/* --- log.c: one event, one line on stderr; never a patient's data --- */

enum relay_level { RELAY_ERROR, RELAY_WARNING, RELAY_INFO };

/* A name and a value: text (words of the program, names of the configuration, digests) or a number. */
struct relay_field {
  const char *name;
  struct str text; /* ptr NULL: the number */
  int64_t number;
};
#define RELAY_TEXT(n, t) ((struct relay_field){.name = (n), .text = (t)})
#define RELAY_NUMBER(n, v) ((struct relay_field){.name = (n), .number = (v)})

enum { RELAY_LOG_GATHERED = 4096 /* bytes: a pipe takes so many at once, whole */ };
struct relay_log_lines {
  char bytes[RELAY_LOG_GATHERED];
  size_t len, count;
};
struct relay_log {
  const struct host *host;
  bool json;
  bool journal; /* stderr is the journal's: lines have a priority, else a time */
  size_t *lost; /* lines that nobody took; NULL: they are not counted */
  struct relay_log_lines *gathered; /* by one thread; NULL: each line goes at once */
};
/* What tells of no trouble waits for others while there is room, until this is called or something else is told. */
void relay_log_flush(const struct relay_log *log);
void relay_log(const struct relay_log *log, enum relay_level level, const char *event,
               const struct relay_field *fields, size_t count);
#define RELAY_LOG(relay, level, event, ...)                                                                  \
  relay_log(&(relay)->log, level, event, (struct relay_field[]){__VA_ARGS__},                                \
            sizeof((struct relay_field[]){__VA_ARGS__}) / sizeof(struct relay_field))
/* sd-daemon(3): that there is a journal says the environment; that this is its stream, its device and inode. */
bool relay_log_is_journal(void);
/* A line waits a second for a reader that does not read (a pipe, the journal), then none until he reads again; what was lost
   is told then. A file is not waited for. */
enum { RELAY_LOG_WAIT_MS = 1000 };
/* Findings, by code, place and rule: messages quote words of a record. */
/* Those that are only worth knowing: one line a code; of the others the first fifty, and how many more. */
void relay_log_diags(const struct relay_log *log, const char *event, const struct diag_list *diags);
/* The same of the relay's own files, by their names. */
void relay_log_faults(const struct relay_log *log, const char *event, const struct diag_list *diags);

/* --- committer.c: what was promised is made, written and synced, on a thread of its own, one group at a time --- */

/* `ended` is called on the loop when the store is free again, and when one that was begun is done; relay_committer_result says what
   became of it. Without a thread (no memory, a limit of the system) the loop commits. */
enum status relay_committer_open(struct event_base *base, struct outbox *outbox, void (*ended)(void *context), void *context,
                                 struct relay_committer **out) MUST_USE;
/* Waits for the thread. NULL is allowed. */
void relay_committer_close(struct relay_committer *committer);
/* Makes what was promised, and commits. Until it is written nobody else may use the outbox; while only the disk is waited for others may. */
void relay_committer_begin(struct relay_committer *committer, const struct relay_promise *promised);
enum relay_committer_step { RELAY_COMMITTER_WRITTEN /* the store is free */, RELAY_COMMITTER_DURABLE /* it is done */ };
bool relay_committer_is_before(struct relay_committer *committer, enum relay_committer_step step);
void relay_committer_wait(struct relay_committer *committer, enum relay_committer_step step);
/* True once for each that was begun and is done. */
bool relay_committer_result(struct relay_committer *committer, enum status *out) MUST_USE;

/* --- group.c: changes become durable together --- */

struct relay_promise {
  struct relay_promise *next;
  /* What it changes in the store: made by the thread that commits, just before it does, in the order of the promises. Until it
     is kept what it touches is that thread's. NULL: it has been changed. */
  void (*make)(void *context, struct outbox *outbox);
  /* OK: what changed before the promise was made is durable. */
  void (*kept)(void *context, enum status status);
  void *context;
};
struct relay_promises {
  struct relay_promise *first, **end;
};
/* The store, to be used until control goes back to the event loop. While a group is made and written it waits: for ends and claims, some
   milliseconds; not for the disk. Who comes often asks first whether it is busy, and goes on when it is free. */
struct outbox *relay_store(const struct relay *relay);
bool relay_store_is_busy(const struct relay *relay);
/* Kept, as OK, when it is free: when the group that is under way is written, or after its promises. */
void relay_when_free(struct relay *relay, struct relay_promise *promise);
/* Kept once, after the commit at the end of this turn of the loop, or sooner when much is to be made. */
void relay_promise(struct relay *relay, struct relay_promise *promise);
/* The store was asked to change something, with whatever result: its group ends with this turn, also when
   nobody was promised anything. A group that was given up refuses every call until then. */
void relay_group_touch(struct relay *relay);
/* A disk that failed is not asked again: the process ends, and nobody is told that his record is kept. */
void relay_store_failed(struct relay *relay);
enum status relay_group_open(struct relay *relay) MUST_USE;
/* Something was promised or changed that is not durable yet. */
bool relay_group_is_open(const struct relay *relay);
/* Milliseconds since the one that is being made durable was begun; 0: there is none. */
int64_t relay_group_age(const struct relay *relay);
/* Commits what waits, now: what follows wants a store without a group. There may be one again: of who was promised. */
void relay_group_end(struct relay *relay);
/* Commits what waits, now; for the end of the process. */
void relay_group_close(struct relay *relay);

/* --- ways.c: maps and destinations, as they are now; a reload makes others --- */

struct relay_way {
  const struct relay_destination_config *config;
  struct bundle_shape shape;
  struct pipeline_policy policy;
  struct pipeline_message_policy messages; /* of protocol mllp; then there is no shape and no policy */
  struct delivery_destination destination;
  struct delivery_client *client;
};
struct relay_ways {
  struct arena *arena;
  struct pipeline *pipeline;
  struct relay_way ways[RELAY_DESTINATIONS_MAX]; /* in the order of the configuration */
  size_t count;
  size_t users; /* deliveries under way, and one for being the present */
};
/* Reads and checks all of it; all faults in `diags`. */
enum status relay_ways_open(const struct relay_config *config, const struct host *host,
                            struct diag_list *diags, struct relay_ways **out) MUST_USE;
void relay_ways_leave(struct relay_ways *ways);

/* --- accept.c: text -> records (map.h) -> the store --- */

struct relay_input {
  struct str source;  /* who gives it: name of the folder, "http" */
  struct str control; /* name by which the giver knows it; may be empty */
  struct str name;    /* for findings */
  struct str text;
  struct str charset; /* of HL7 v2 messages that name none; empty: UTF-8 */
  struct str processing; /* MSH-11 of HL7 v2 messages that are taken; empty: P */
  const struct relay_names *to;
};
struct relay_accepted {
  size_t records, again, different, bad, parked;
  int64_t first; /* number of the last record's first item; its others follow */
  size_t items;  /* of the last record */
  enum status status; /* OK; INVALID: bad ones, in diags; LIMIT: full, nothing was taken; IO: stop */
};
/* Each record joins the group. All or none of an input: a bad record refuses the input whole, unless it is
   NDJSON, where the others are taken. */
struct relay_accepted relay_accept(struct relay *relay, const struct relay_input *input, struct diag_list *diags);
/* The same of a text that was mapped already (mapper.h); findings go to the task's. */
struct relay_accepted relay_accept_mapped(struct relay *relay, struct relay_task *task);

/* --- outcome.c: what a conversation says about its record; pure --- */

enum relay_trouble {
  RELAY_FINE,
  RELAY_BUSY, /* a passing fault: of the network, of the server */
  RELAY_HELD  /* the destination is at fault: its credential, certificate, configuration */
};
struct relay_verdict {
  enum outbox_state state;
  enum relay_trouble trouble;
  struct str reason; /* word: "http-422", "tls", "unreachable", … */
  int http_status;
  bool own;     /* HELD: it may be about this record alone: the server answered it, or it is made for another protocol */
  bool unasked; /* FINE: the server was not asked, so nothing is known of it */
  bool fault;   /* of relay_health_note: it counts against the record */
};
/* "http-422" of 422. */
struct str relay_http_word(long status);
struct exchange_job;
struct relay_verdict relay_judge(const struct exchange_job *job, enum status status,
                                 const struct delivery_answer *last, bool unknown_before);
/* The same of one message of HL7 v2. */
struct relay_verdict relay_judge_message(const struct delivery_answer *answer, bool unknown_before);
/* Memory was short. Of the machine: that passes. More than a record may have: asked for again it would come to nothing,
   for ever. */
struct relay_verdict relay_judge_memory(const struct arena *arena, bool unknown_before);
/* Until the next attempt: full jitter under a ceiling that doubles, not before what the server asked for. */
int64_t relay_back_off(const struct relay_destination_config *config, unsigned attempts,
                       int64_t retry_after_ms, uint32_t random);

/* What the store keeps of a record: the clinic's id, the namespace of its ids, and the text; of a message of HL7 v2 its
   control id, and its bytes. */
struct str relay_payload_write(struct str clinic, struct str text, struct arena *arena);
bool relay_payload_read(struct str payload, struct str *clinic, struct str *text);

/* --- sender.c: one destination --- */

enum status relay_sender_open(struct relay *relay, size_t index, struct relay_sender **out) MUST_USE;
void relay_sender_close(struct relay_sender *sender);
/* Something may be due: claims are listed, for the group that is begun. */
void relay_sender_claim(struct relay_sender *sender);
/* The same, and a person has done something about it: a destination in trouble is tried at once. */
void relay_sender_probe(struct relay_sender *sender);
/* Takes no more; what is under way goes on. */
void relay_sender_stop(struct relay_sender *sender);
/* Records under way. */
size_t relay_sender_busy(const struct relay_sender *sender);
/* Of all destinations, in Prometheus' text format. */
void relay_senders_metrics(const struct relay *relay, struct buf *out);

/* --- left.c --- */

/* Destinations that the store knows and the configuration does not. */
enum status relay_left(struct relay *relay, struct arena *arena, struct str **names, size_t *count) MUST_USE;
/* At the start: which of them have open records. Not OK: nothing was told; ask again. */
enum status relay_tell_left(struct relay *relay) MUST_USE;

/* --- places.c --- */

/* Folders and programs of the configuration: CONFIG when one is missing, or not to be written by this user. */
enum status relay_places_check(struct relay *relay, struct diag_list *diags) MUST_USE;
/* A file that says what the relay does: CONFIG when everybody may write it, or in its folder. */
enum status relay_place_check(struct str path, struct arena *arena, struct diag_list *diags) MUST_USE;

/* --- folder.c: a drop folder (folder.h) --- */

enum status relay_folder_open(struct relay *relay, const struct relay_folder_config *config,
                              struct diag_list *diags, struct relay_folder **out) MUST_USE;
void relay_folder_close(struct relay_folder *folder);

/* --- listener.c: HL7 v2 by MLLP; NULL is allowed but for the first three --- */

/* What its configuration names is read and checked; nothing is listened on yet. On failure *out is to be closed too. */
enum status relay_listener_new(struct relay *relay, const struct relay_mllp_config *config, struct diag_list *diags,
                               struct relay_listener **out) MUST_USE;
enum status relay_listener_begin(struct relay_listener *listener, struct diag_list *diags) MUST_USE;
/* Its socket is made again when its file was removed; nothing is to be done for a port. Not OK: it cannot be; ask again. */
enum status relay_listener_renew(struct relay_listener *listener, struct diag_list *diags) MUST_USE;
struct relay_tls; /* wire.h */
/* Its certificates as the files are now, to be used, or closed with relay_tls_close. */
enum status relay_listener_read(const struct relay_listener *listener, struct diag_list *diags,
                                struct relay_tls **fresh) MUST_USE;
/* Takes them over, for who connects from now on. */
void relay_listener_use(struct relay_listener *listener, struct relay_tls *fresh);
/* Takes nothing more; what is owed is answered. */
void relay_listener_stop(struct relay_listener *listener);
bool relay_listener_is_busy(const struct relay_listener *listener);
/* Records were settled: some of them may be waited for. */
void relay_listener_look(struct relay_listener *listener);
void relay_listener_close(struct relay_listener *listener);
/* Of all listeners, in Prometheus' text format. */
void relay_listeners_metrics(const struct relay *relay, struct buf *out);

/* --- metrics.c --- */

/* Of the relay and its parts, in Prometheus' text format. */
void relay_metrics(const struct relay *relay, struct buf *out);
/* What each name begins with. */
void relay_metric_head(struct buf *out, const char *name, const char *type, const char *help);

/* --- http.c: the console, where the configuration asks for it --- */

/* What its configuration names can be read. */
enum status relay_http_check(struct relay *relay, struct diag_list *diags) MUST_USE;
enum status relay_http_open(struct relay *relay, struct diag_list *diags) MUST_USE;

/* --- sockets.c --- */

/* Sockets that are files are made again when they, or their folders, were removed and the folder is there. */
void relay_sockets_look(struct relay *relay);

/* --- alert.c --- */

enum { RELAY_PROGRAMS_MAX = 2 * RELAY_DESTINATIONS_MAX }; /* that run at once; what comes then is told by the log and the webhook alone */
/* On an edge: "destination-held", "destination-cleared", "queue-grows", "queue-shrinks"; runs the configured
 * program, and tells the webhook. */
void relay_alert(struct relay *relay, const char *state, struct str what);
/* The same with words of the program about why. */
void relay_alert_why(struct relay *relay, const char *state, struct str what, struct str why);
/* What is tried again and again. Want of memory comes and goes: a line the first time, an alert when two in a row came to nothing, and
   one when it goes on. */
struct relay_tries {
  unsigned failures;
  bool told;
};
struct relay_tries_words {
  const char *event, *field; /* of the line; `field` is what it is about */
  const char *fails, *works; /* alerts */
};
void relay_note_try(struct relay *relay, struct relay_tries *tries, const struct relay_tries_words *words, struct str what,
                    enum status status);
/* When `*state` is not what is: what begins, or what ends. */
void relay_alert_edge(struct relay *relay, bool *state, bool is, const char *begins, const char *ends, struct str what);
/* The store was full for what a way in brought, or has taken something new of it; repeats and bad records ask for no room. */
void relay_alert_full(struct relay *relay, bool *full, const struct relay_accepted *accepted, struct str way);

/* Programs that still run go on without the relay. */
void relay_programs_close(struct relay *relay);

/* --- backup.c: once a day a copy of the store, in pieces while everything else goes on --- */

struct relay_backup;
enum status relay_backup_open(struct relay *relay, struct relay_backup **out) MUST_USE;
/* Begins one when it is due. */
void relay_backup_look(struct relay_backup *backup);
/* One that is being made is given up. NULL is allowed. */
void relay_backup_close(struct relay_backup *backup);

/* --- webhook.c: alerts as posted documents, one after the other, tried again for a while --- */

enum { RELAY_WEBHOOK_TRIES = 20, RELAY_WEBHOOK_WAITING = 32 };
/* Its files are read; *out is NULL when none is configured. */
enum status relay_webhook_open(struct relay *relay, struct diag_list *diags,
                               struct relay_webhook **out) MUST_USE;
/* After the loop of the relay: what was not taken is told in the log. NULL is allowed, as below. */
void relay_webhook_close(struct relay_webhook *webhook);
/* `why` may be empty. */
void relay_webhook_tell(struct relay_webhook *webhook, const char *state, struct str what, struct str why);
/* Pure: milliseconds until the next try after so many; -1: no more. */
int64_t relay_webhook_wait(unsigned tries);

/* --- signals.c: SIGTERM, SIGINT and SIGHUP, with the user who sent them --- */

struct relay_signals;
typedef void relay_signal(void *context, int number, uint32_t user);
/* Blocks them for the process: they come through the event loop only. */
enum status relay_signals_open(struct event_base *base, relay_signal *call, void *context,
                               struct relay_signals **out) MUST_USE;
/* NULL is allowed. */
void relay_signals_close(struct relay_signals *signals);

/* --- notify.c: systemd --- */

void relay_notify(const char *state);
/* Long work is no hang: systemd would end the process. */
void relay_show_life(void);
/* Milliseconds between signs of life; 0: none are wanted. */
int64_t relay_watchdog_ms(void);

/* --- the whole --- */

struct relay {
  const struct host *host;
  const char *config_path;
  struct arena *arena;
  struct relay_config *config;
  struct relay_log log;
  struct event_base *base;
  struct outbox *outbox; /* relay_store */
  struct relay_ways *ways;
  struct relay_fiber_pool *fibers;
  struct delivery_loop *loop;
  struct relay_sender *senders[RELAY_DESTINATIONS_MAX];
  struct relay_folder *folders[RELAY_FOLDERS_MAX];
  struct relay_listener *listeners[RELAY_MLLP_MAX];
  struct console *console;
  struct relay_webhook *webhook;
  struct relay_mapper *mapper;   /* of posted texts */
  struct relay_mapper *messages; /* of HL7 v2; NULL: there is no listener */
  struct arena *records; /* of the input that is taken in */
  struct arena *record;  /* of one record of it */
  /* group.c */
  struct event *commit;
  struct {
    struct relay_committer *committer;
    struct relay_promises promised; /* of the group that grows */
    struct relay_promises durable;  /* of the one that is under way */
    struct relay_promises waiting;  /* for its end */
    bool under_way, settled;        /* it holds ends of records */
    int64_t begun_at;               /* by relay_elapsed */
    size_t to_make;                 /* promises of the one that grows that are made with it */
    int64_t since; /* first look at the one that grows, in nanoseconds; 0: none yet */
    bool touched;  /* since the last look */
  } group;
  bool due; /* something came in this turn, or may be claimed: the senders are to look */
  bool decided;  /* by a person: those in trouble too */
  bool settled;  /* records were, in this turn: who waits for them is to look */
  struct relay_program *programs; /* that tell of alerts, and run */
  bool full;     /* what was posted last did not fit */
  bool unreachable; /* a socket is not where it was, and cannot be made again */
  bool clock_agrees; /* with that of a server, as it answered last */
  bool stopping;
  bool closing; /* the loop has ended: nothing is claimed or sent any more */
  enum status fatal; /* why the loop was left */
};
/* Into the trail, in the group of this turn. `actor` empty: nobody asked for it. */
void relay_note(struct relay *relay, const char *what, const char *actor, const char *reason);
int64_t relay_now(const struct relay *relay);
/* Milliseconds that never go back: for what is waited for and measured in this process. */
int64_t relay_elapsed(const struct relay *relay);
/* The event fires after so many milliseconds. False: no memory. */
bool relay_wait_ms(struct event *timer, int64_t ms);
/* Something may be due: the senders look when the group of this turn is begun. */
void relay_kick(struct relay *relay);
/* They list their claims, for the group that is begun. */
void relay_claim(struct relay *relay);

#endif
