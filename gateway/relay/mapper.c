/* mapper.c - the queue, the thread, and the way back into the loop. */
#include "relay/mapper.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
  struct relay_task *first, **end;
  size_t room; /* of its tasks */
};

/* Memory of tasks that were done, wiped: what comes anew from the system costs as much again as to fill it. */
enum { IDLE_ARENAS = 4 };

struct relay_mapper {
  struct relay *relay;
  struct arena *idle[IDLE_ARENAS];
  size_t idle_count, idle_room; /* all are of one room */
  pthread_t thread;
  bool has_thread, has_lock;
  int bell; /* eventfd: something is ready */
  struct event *readable;
  size_t busy; /* given and not done; the loop's */
  struct relay_promise free;
  bool waits; /* for the store, which takes what is ready */
  pthread_mutex_t lock;
  pthread_cond_t turn;
  /* under the lock */
  struct queue waiting, ready;
  bool closing;
  /* the thread's */
  struct arena *scratch;
};

/* --- queues --- */

static void queue_init(struct queue *queue) {
  *queue = (struct queue){.end = &queue->first};
}

static void queue_add(struct queue *queue, struct relay_task *task) {
  task->next = NULL;
  *queue->end = task;
  queue->end = &task->next;
  queue->room += task->room;
}

static struct relay_task *queue_take(struct queue *queue) {
  struct relay_task *task = queue->first;
  if (!task) return NULL;
  queue->first = task->next;
  if (!queue->first) queue->end = &queue->first;
  queue->room -= task->room;
  return task;
}

/* --- the thread --- */

static bool keep_text(struct arena *arena, struct str *text) {
  if (!text->len) return true;
  *text = arena_str(arena, *text);
  return text->ptr;
}

/* Words of the program and names of the configuration stay where they are. */
static bool keep_item(struct arena *arena, struct outbox_item *item) {
  return keep_text(arena, &item->lane) && keep_text(arena, &item->label) && keep_text(arena, &item->payload) &&
         keep_text(arena, &item->subject);
}

/* The next record takes its place in the scratch memory. */
static enum status keep(void *context, const struct relay_mapped *mapped) {
  struct relay_task *task = context;
  struct relay_kept *kept = ARENA_NEW(task->arena, struct relay_kept);
  struct outbox_item *items = ARENA_ARRAY(task->arena, struct outbox_item, mapped->item_count + 1);
  if (!kept || !items) return STATUS_NOMEM;
  kept->mapped = (struct relay_mapped){.content = mapped->content, .items = items, .item_count = mapped->item_count};
  if (!keep_text(task->arena, &kept->mapped.content)) return STATUS_NOMEM;
  for (size_t i = 0; i < mapped->item_count; i++) {
    items[i] = mapped->items[i];
    if (!keep_item(task->arena, &items[i])) return STATUS_NOMEM;
  }
  *task->records_end = kept;
  task->records_end = &kept->next;
  return task->piece && arena_used(task->arena) >= task->piece ? STATUS_RETRY : STATUS_OK;
}

static void map(struct relay_mapper *mapper, struct relay_task *task) {
  struct relay_mapping mapping = {.config = mapper->relay->config,
                                  .ways = task->ways,
                                  .input = &task->input,
                                  .scratch = mapper->scratch,
                                  .diags = task->findings,
                                  .take = keep,
                                  .context = task,
                                  .from = task->from};
  task->status = relay_map(&mapping);
  task->more = task->status == STATUS_RETRY;
  if (task->more) task->status = STATUS_OK;
  task->from = mapping.from;
  task->bad = mapping.bad;
  task->parked = mapping.parked;
}

/* Under the lock. NULL: it is over. */
static struct relay_task *next_task(struct relay_mapper *mapper) {
  while (!mapper->closing && (!mapper->waiting.first || mapper->ready.room >= MAPPER_READY_BYTES))
    pthread_cond_wait(&mapper->turn, &mapper->lock);
  return mapper->closing ? NULL : queue_take(&mapper->waiting);
}

static void *run(void *context) {
  struct relay_mapper *mapper = context;
  struct relay_task *task;
  pthread_mutex_lock(&mapper->lock);
  while ((task = next_task(mapper)) != NULL) {
    pthread_mutex_unlock(&mapper->lock);
    map(mapper, task);
    pthread_mutex_lock(&mapper->lock);
    queue_add(&mapper->ready, task);
    (void)eventfd_write(mapper->bell, 1); /* fails only when it has been rung 2^64 times */
  }
  pthread_mutex_unlock(&mapper->lock);
  return NULL;
}

/* --- the loop --- */

static void finish(struct relay_mapper *mapper, struct relay_task *task) {
  mapper->busy--;
  relay_ways_leave(task->ways);
  task->done(task->context, task);
}

static struct relay_task *take_ready(struct relay_mapper *mapper) {
  pthread_mutex_lock(&mapper->lock);
  struct relay_task *task = queue_take(&mapper->ready);
  pthread_cond_signal(&mapper->turn);
  pthread_mutex_unlock(&mapper->lock);
  return task;
}

static void finish_all(void *context, enum status status) {
  struct relay_mapper *mapper = context;
  struct relay_task *task;
  (void)status;
  mapper->waits = false;
  while ((task = take_ready(mapper)) != NULL)
    finish(mapper, task);
}

static void on_ready(evutil_socket_t bell, short what, void *context) {
  struct relay_mapper *mapper = context;
  eventfd_t rung;
  (void)what;
  (void)eventfd_read(bell, &rung);
  if (mapper->waits) return;
  if (!relay_store_is_busy(mapper->relay)) {
    finish_all(mapper, STATUS_OK);
    return;
  }
  mapper->waits = true;
  mapper->free = (struct relay_promise){.kept = finish_all, .context = mapper};
  relay_when_free(mapper->relay, &mapper->free);
}

static enum status open_mapper(struct relay_mapper *mapper) {
  struct event_base *base = mapper->relay->base;
  mapper->scratch = arena_new(LIMIT_ARENA_BYTES);
  mapper->has_lock =
      pthread_mutex_init(&mapper->lock, NULL) == 0 && pthread_cond_init(&mapper->turn, NULL) == 0;
  mapper->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (!mapper->scratch || !mapper->has_lock) return STATUS_NOMEM;
  if (mapper->bell < 0) return STATUS_IO;
  mapper->readable = event_new(base, mapper->bell, EV_READ | EV_PERSIST, on_ready, mapper);
  if (!mapper->readable || event_priority_set(mapper->readable, 0) != 0 || event_add(mapper->readable, NULL) != 0)
    return STATUS_NOMEM;
  mapper->has_thread = pthread_create(&mapper->thread, NULL, run, mapper) == 0;
  return STATUS_OK;
}

enum status relay_mapper_open(struct relay *relay, struct relay_mapper **out) {
  struct relay_mapper *mapper = *out = calloc(1, sizeof *mapper);
  if (!mapper) return STATUS_NOMEM;
  mapper->relay = relay;
  mapper->bell = -1;
  queue_init(&mapper->waiting);
  queue_init(&mapper->ready);
  return open_mapper(mapper);
}

static void stop_thread(struct relay_mapper *mapper) {
  if (!mapper->has_thread) return;
  pthread_mutex_lock(&mapper->lock);
  mapper->closing = true;
  pthread_cond_signal(&mapper->turn);
  pthread_mutex_unlock(&mapper->lock);
  pthread_join(mapper->thread, NULL);
}

/* The thread is gone: nobody else looks at the queues. */
static void give_up(struct relay_mapper *mapper, struct queue *queue) {
  struct relay_task *task;
  while ((task = queue_take(queue)) != NULL) {
    task->status = STATUS_UNAVAILABLE;
    task->mapper = NULL; /* which it may outlive */
    finish(mapper, task);
  }
}

void relay_mapper_close(struct relay_mapper *mapper) {
  if (!mapper) return;
  stop_thread(mapper);
  give_up(mapper, &mapper->ready);
  give_up(mapper, &mapper->waiting);
  if (mapper->readable) event_free(mapper->readable);
  if (mapper->bell >= 0) close(mapper->bell);
  if (mapper->has_lock) {
    pthread_cond_destroy(&mapper->turn);
    pthread_mutex_destroy(&mapper->lock);
  }
  arena_free(mapper->scratch);
  while (mapper->idle_count)
    arena_free(mapper->idle[--mapper->idle_count]);
  free(mapper);
}

bool relay_mapper_is_busy(const struct relay_mapper *mapper) {
  return mapper && mapper->busy != 0;
}

bool relay_mapper_has_thread(const struct relay_mapper *mapper) {
  return mapper && mapper->has_thread;
}

bool relay_mapper_wants(const struct relay_mapper *mapper, size_t bytes) {
  return mapper->has_thread && (mapper->busy || bytes > MAPPER_SMALL_BYTES);
}

static struct arena *take_arena(struct relay_mapper *mapper, size_t room) {
  bool fits = mapper->idle_count && mapper->idle_room == room;
  return fits ? mapper->idle[--mapper->idle_count] : arena_new(room);
}

static bool keep_arena(struct relay_mapper *mapper, struct arena *arena, size_t room) {
  if (!mapper->idle_count) mapper->idle_room = room;
  if (mapper->idle_count == IDLE_ARENAS || mapper->idle_room != room) return false;
  arena_reset(arena);
  mapper->idle[mapper->idle_count++] = arena;
  return true;
}

enum status relay_mapper_give(struct relay_mapper *mapper, struct relay_task *task) {
  if (!task->room) task->room = MAPPER_TASK_BYTES;
  task->arena = take_arena(mapper, task->room);
  if (!task->arena) return STATUS_NOMEM;
  diag_list_init(&task->diags, task->arena);
  if (!task->findings) task->findings = &task->diags;
  task->records_end = &task->records;
  task->mapper = mapper;
  task->ways = mapper->relay->ways;
  task->ways->users++;
  mapper->busy++;
  pthread_mutex_lock(&mapper->lock);
  queue_add(&mapper->waiting, task);
  pthread_cond_signal(&mapper->turn);
  pthread_mutex_unlock(&mapper->lock);
  return STATUS_OK;
}

void relay_task_release(struct relay_task *task) {
  if (!task->arena || !task->mapper || !keep_arena(task->mapper, task->arena, task->room)) arena_free(task->arena);
  task->arena = NULL;
}
