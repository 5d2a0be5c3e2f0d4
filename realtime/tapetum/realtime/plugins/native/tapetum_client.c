/* See tapetum_client.h. SPDX-License-Identifier: MIT
 *
 * One worker process serves all streams of this process. Each stream has a socket of its own to
 * it, and a piece of anonymous shared memory: a frame's pixels before, and after them the pixels
 * that the worker made. Nothing has a name in the file system, so nothing is left behind; either
 * side sees the other's end by its sockets.
 *
 * Pixels are only written to shared memory while the worker has nothing to do for the stream, and
 * only taken out of it after the answer to that very frame: no frame is ever torn.
 */
#define _GNU_SOURCE
#include "tapetum_client.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL 2
#define LARGEST 16384
#define MS 1000000LL
#define WARM_ANSWERS 10     /* before as many, what frames need may have to be compiled */
#define HUNG_MS 5000        /* without an answer, of a warm worker */
#define START_HUNG_MS 10000 /* of one that is not, without an answer and without work */
#define WORK_MS 1           /* of processor time: a worker that waits for a processor gets as much */
#define LONGEST_START_MS 300000
#define LONGEST_BACK_OFF_MS 60000
#define LOCK_MS 5           /* for what cannot be put off; what is done in it takes microseconds */
#define CLOSE_MS 2000       /* for the worker's end */
#define RESERVED_AT_ONCE (4 << 20)
#define STARTING "the worker is starting"
#define HOLD_MS 1000 /* how long an exchange shows a frame again, and how late it takes one */
#define NEVER_WORKED "the worker ended before its first frame; TAPETUM_LOG=1 shows what it said"
#define WORKER_SOCKET 3
#define WORKER_MODULE "tapetum.realtime.plugins.worker"

extern char **environ;

typedef struct {
    uint32_t protocol, format, width, height;
    uint64_t sequence;
    int64_t time_ns;
    uint64_t output_offset;
    float strength, denoise, before;
    uint8_t matrix, range, primaries, transfer, always, reserved[7];
    char model[1024];
} request;
_Static_assert(sizeof(request) == 1088, "the worker reads it as it lies");

typedef struct {
    uint64_t sequence;
    uint32_t failed;
    char message[500];
} answer;

typedef struct {
    int count;
    size_t row_bytes[3];
    uint32_t rows[3];
    size_t bytes;
} layout;

struct tapetum_stream {
    tapetum_options options;
    char python[1024];
    int socket;          /* to the worker, or -1 */
    uint64_t generation; /* of the worker that it leads to */
    bool waiting;        /* an answer is due */
    unsigned answers;    /* by this worker, to frames of this kind */
    int64_t sent_ns;
    pid_t pid;           /* of the worker that the socket leads to */
    int64_t worked_ns;   /* its processor time when that had last grown, */
    int64_t working_ns;  /* and when that was */
    request last;
    int memory_fd;       /* or -1 */
    uint8_t *memory;     /* or NULL, until all of it is reserved */
    size_t memory_bytes, reserved_bytes;
    bool knows_memory;   /* the worker that the socket leads to */
    bool proved;         /* that worker is known to have answered */
    request shown;       /* whose pixels an exchange shows; of width 0 if there are none */
    int64_t shown_ns;    /* when they came */
    bool alive;          /* its worker has answered */
    bool slow;           /* the last answer took longer than the host's patience */
    char reason[600];    /* why the last frame was left as it was, or empty */
    char logged[600];
    int64_t logged_ns;
};

typedef enum { DONE, LEFT, LOST } outcome;

/* A thread starts the worker: that takes until its program is loaded. It holds no lock, and nobody
 * waits for it but who has time: where the host's threads go before others, it may not run for long. */
static struct {
    pthread_t thread;
    bool joinable;
    atomic_bool over; /* the rest is the thread's until then */
    char python[1024];
    int error; /* or 0, with what was started */
    pid_t pid;
    int socket;
} starter;

static struct {
    pthread_mutex_t lock;
    bool starting;
    int error;         /* of the last start, or 0 */
    int socket;        /* takes sockets of new streams, or -1 */
    pid_t pid, dying;  /* `dying` was killed, and is not gone yet; 0 is none */
    uint64_t generation;
    bool proved; /* it has answered */
    unsigned streams, failures;
    int64_t retry_ns;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .socket = -1};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 * MS + now.tv_nsec;
}

/* Of all threads of a process, so far; 0 where that is not known. */
static int64_t processor_time_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time = {0};
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
        return 0;
    return time.tv_sec * 1000 * MS + time.tv_nsec;
}

/* No signal comes until they are allowed again. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* `raised` is one of our own doing, which would end the host; 0 is none. */
static void allow_signals(const sigset_t *before, int raised)
{
    sigset_t ours;
    sigemptyset(&ours);
    if (raised) {
        sigaddset(&ours, raised);
        sigtimedwait(&ours, NULL, &(struct timespec){0});
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* False where it would have to wait, as for a pipe that is full, or where nobody reads. */
static bool write_line(const char *line)
{
    struct pollfd ready = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&ready, 1, 0) != 1 || ready.revents != POLLOUT)
        return false;
    sigset_t before;
    hold_signals(&before);
    bool written = write(STDERR_FILENO, line, strlen(line)) > 0;
    int error = written ? 0 : errno;
    allow_signals(&before, error == EPIPE ? SIGPIPE : error == EFBIG ? SIGXFSZ : 0);
    return written;
}

/* The same line is said again after a minute at the earliest. */
static void say(tapetum_stream *stream, const char *reason)
{
    snprintf(stream->reason, sizeof stream->reason, "%s", reason);
    if (!strcmp(stream->logged, reason) && now_ns() - stream->logged_ns < 60000 * MS)
        return;
    char line[700];
    snprintf(line, sizeof line, "tapetum: frames pass unchanged: %s%s", stream->reason,
             stream->options.log ? "" : "\n");
    if (stream->options.log)
        stream->options.log(stream->options.log_context, line);
    else if (!write_line(line))
        return;
    snprintf(stream->logged, sizeof stream->logged, "%s", reason);
    stream->logged_ns = now_ns();
}

static bool lay_out(const tapetum_frame *frame, layout *out)
{
    size_t width = frame->width, height = frame->height;
    size_t half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    if (width < 1 || height < 1 || width > LARGEST || height > LARGEST)
        return false;
    *out = (layout){.count = 1, .rows = {(uint32_t)height, (uint32_t)half_height, (uint32_t)half_height}};
    switch (frame->format) {
    case TAPETUM_I420:
        out->count = 3;
        out->row_bytes[0] = width;
        out->row_bytes[1] = out->row_bytes[2] = half_width;
        break;
    case TAPETUM_NV12:
        out->count = 2;
        out->row_bytes[0] = width;
        out->row_bytes[1] = 2 * half_width;
        break;
    case TAPETUM_P010:
        out->count = 2;
        out->row_bytes[0] = 2 * width;
        out->row_bytes[1] = 4 * half_width;
        break;
    case TAPETUM_I010:
        out->count = 3;
        out->row_bytes[0] = 2 * width;
        out->row_bytes[1] = out->row_bytes[2] = 2 * half_width;
        break;
    case TAPETUM_I422:
    case TAPETUM_I444:
        out->count = 3;
        out->rows[1] = out->rows[2] = (uint32_t)height;
        out->row_bytes[0] = width;
        out->row_bytes[1] = out->row_bytes[2] = frame->format == TAPETUM_I444 ? width : half_width;
        break;
    case TAPETUM_YUY2:
    case TAPETUM_UYVY:
    case TAPETUM_YVYU:
        out->row_bytes[0] = 4 * half_width;
        break;
    case TAPETUM_RGBA:
    case TAPETUM_BGRA:
        out->row_bytes[0] = 4 * width;
        break;
    default:
        return false;
    }
    for (int plane = 0; plane < out->count; plane++) {
        size_t stride = (size_t)(frame->strides[plane] < 0 ? -frame->strides[plane] : frame->strides[plane]);
        if (!frame->planes[plane] || (out->rows[plane] > 1 && stride < out->row_bytes[plane]))
            return false;
        out->bytes += out->row_bytes[plane] * out->rows[plane];
    }
    return true;
}

/* Between a frame and its packed place in shared memory. */
static void copy_pixels(const tapetum_frame *frame, const layout *shape, uint8_t *packed, bool out)
{
    for (int plane = 0; plane < shape->count; plane++)
        for (uint32_t row = 0; row < shape->rows[plane]; row++) {
            uint8_t *pixels = frame->planes[plane] + (ptrdiff_t)row * frame->strides[plane];
            memcpy(out ? pixels : packed, out ? packed : pixels, shape->row_bytes[plane]);
            packed += shape->row_bytes[plane];
        }
}

/* Send one message, with a descriptor unless it is -1; never waits. */
static bool send_message(int socket, const void *message, size_t bytes, int descriptor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)message, bytes};
    struct msghdr whole = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        whole.msg_control = control.room;
        whole.msg_controllen = sizeof control.room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&whole);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket, &whole, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes;
}

/* End the worker, which has nothing to save; its memory takes a while to go. The lock is held. */
static void end_worker(void)
{
    close(worker.socket);
    worker.socket = -1;
    kill(worker.pid, SIGKILL);
    worker.dying = worker.pid;
}

/* False where it is still ending. The lock is held. */
static bool bury_worker(void)
{
    pid_t ended = 1;
    while (worker.dying && (ended = waitpid(worker.dying, NULL, WNOHANG)) < 0 && errno == EINTR)
        ;
    if (ended == 0)
        return false;
    worker.dying = 0;
    return true;
}

/* Whoever has the lock may not run for long where others go before it: no frame waits for that. */
static bool lock_until(int64_t until_ns)
{
    while (pthread_mutex_trylock(&worker.lock)) {
        if (now_ns() >= until_ns)
            return false;
        nanosleep(&(struct timespec){0, MS}, NULL);
    }
    return true;
}

static void disconnect(tapetum_stream *stream)
{
    close(stream->socket);
    stream->socket = -1;
    stream->waiting = stream->alive = stream->slow = false;
    stream->knows_memory = stream->proved = false;
    stream->answers = 0;
}

static void forget_memory(tapetum_stream *stream)
{
    if (stream->memory)
        munmap(stream->memory, stream->memory_bytes);
    if (stream->memory_fd >= 0)
        close(stream->memory_fd);
    stream->memory = NULL;
    stream->memory_fd = -1;
    stream->memory_bytes = stream->reserved_bytes = 0;
    stream->knows_memory = false;
    stream->shown.width = 0;
}

/* Start Python, with one end of a socket; 0, or why not. */
static int spawn_worker(const char *python, pid_t *pid, int *socket)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return errno;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, ends[1], WORKER_SOCKET);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_RDWR, 0);
    if (!getenv("TAPETUM_LOG"))
        posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_RDWR, 0);
    /* A group of its own: Ctrl-C is the host's to answer. And never before the host's own threads,
     * where the one that started it goes before others. */
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        flags |= POSIX_SPAWN_SETSCHEDULER;
    posix_spawnattr_setschedpolicy(&how, SCHED_OTHER);
    posix_spawnattr_setschedparam(&how, &(struct sched_param){0});
    posix_spawnattr_setflags(&how, flags);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    /* -I: hosts set PYTHONHOME and PYTHONPATH for a Python of their own. */
    char *arguments[] = {(char *)python, "-I", "-m", WORKER_MODULE, NULL};
    int error = posix_spawn(pid, python, &files, &how, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    close(ends[1]);
    if (error)
        close(ends[0]);
    else
        *socket = ends[0];
    return error;
}

static void back_off(void)
{
    int64_t wait_ms = 100LL << (worker.failures < 10 ? worker.failures : 10);
    worker.failures++;
    worker.retry_ns = now_ns() + (wait_ms < LONGEST_BACK_OFF_MS ? wait_ms : LONGEST_BACK_OFF_MS) * MS;
}

/* Take what has been started, once it is. The lock is held. */
static void take_start(void)
{
    if (!worker.starting || !atomic_load(&starter.over))
        return;
    worker.starting = false;
    worker.error = starter.error;
    if (worker.error) {
        back_off();
        return;
    }
    worker.pid = starter.pid;
    worker.socket = starter.socket;
    worker.generation++;
    worker.proved = false;
}

/* Nobody may be left who wants it: closing does not wait for long. */
static void *start(void *unused)
{
    (void)unused;
    starter.error = spawn_worker(starter.python, &starter.pid, &starter.socket);
    atomic_store(&starter.over, true);
    pthread_mutex_lock(&worker.lock);
    if (!worker.streams) {
        take_start();
        if (worker.socket >= 0)
            end_worker();
    }
    pthread_mutex_unlock(&worker.lock);
    return NULL;
}

/* Have the worker started, without waiting for it. The lock is held. */
static void begin_start(const char *python)
{
    if (!bury_worker())
        return;
    if (starter.joinable && pthread_tryjoin_np(starter.thread, NULL))
        return; /* the last one has all but ended */
    starter.joinable = false;
    atomic_store(&starter.over, false);
    snprintf(starter.python, sizeof starter.python, "%s", python);
    sigset_t before;
    hold_signals(&before); /* the host's are not for this thread */
    worker.error = pthread_create(&starter.thread, NULL, start, NULL);
    allow_signals(&before, 0);
    if (worker.error)
        back_off();
    else
        worker.starting = starter.joinable = true;
}

/* The stream's worker has ended, or hangs, which is the reason then: leave it. True if it once
 * worked: try again at once. */
static bool lose_worker(tapetum_stream *stream, const char *reason)
{
    bool proved = true; /* another stream saw it first */
    disconnect(stream);
    if (lock_until(now_ns() + LOCK_MS * MS)) { /* else who connects next sees it */
        if (worker.socket >= 0 && worker.generation == stream->generation) {
            proved = worker.proved;
            if (proved)
                worker.failures = 0;
            end_worker();
            back_off();
        }
        pthread_mutex_unlock(&worker.lock);
    }
    say(stream, reason ? reason : proved ? "the worker ended" : NEVER_WORKED);
    return proved;
}

/* Give others a while, without the lock. */
static void nap(void)
{
    nanosleep(&(struct timespec){0, 2 * MS}, NULL);
}

/* Have a worker until then, and hold the lock if there is one; else the reason is in `error`, 0 while
 * it starts or there was none. */
static bool lock_worker(const char *python, int64_t until_ns, int *error)
{
    *error = 0;
    while (lock_until(until_ns)) {
        take_start();
        if (worker.socket >= 0)
            return true;
        *error = worker.error;
        if (bury_worker() && !worker.starting && now_ns() >= worker.retry_ns)
            begin_start(python);
        bool coming = worker.starting || worker.dying;
        pthread_mutex_unlock(&worker.lock);
        if (!coming || now_ns() >= until_ns)
            break;
        nap();
    }
    return false;
}

/* Why a stream has no worker. */
static void say_why(tapetum_stream *stream, int error)
{
    char reason[1200];
    snprintf(reason, sizeof reason, "cannot start %s: %s; run `tapetum plugin install` again",
             stream->python, strerror(error));
    if (error)
        say(stream, reason);
    else if (!stream->reason[0])
        say(stream, STARTING);
}

/* Connect a stream to the worker, which is started if need be, until then. */
static outcome connect_stream(tapetum_stream *stream, int64_t until_ns)
{
    int error, ends[2] = {-1, -1};
    bool sent = false;
    if (!lock_worker(stream->python, until_ns, &error)) {
        say_why(stream, error);
        return LEFT;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        error = errno;
    if (!error) {
        sent = send_message(worker.socket, "s", 1, ends[1]);
        stream->generation = worker.generation;
        stream->pid = worker.pid;
        stream->worked_ns = -WORK_MS * MS; /* it has begun just now */
        stream->socket = ends[0];
        close(ends[1]);
    }
    pthread_mutex_unlock(&worker.lock);
    if (error) {
        say(stream, "there are no sockets left");
        return LEFT;
    }
    if (!sent)
        return lose_worker(stream, NULL) ? LOST : LEFT;
    stream->shown.width = 0;
    return DONE;
}

/* Reserve memory, which would else end the host at a write where the machine lacks it. What is over
 * the host's own limit of files (ulimit -f) would end it by a signal. */
static bool reserve(int descriptor, size_t begin, size_t bytes)
{
    sigset_t before;
    hold_signals(&before);
    int error = posix_fallocate(descriptor, (off_t)begin, (off_t)bytes);
    allow_signals(&before, error == EFBIG ? SIGXFSZ : 0);
    return !error;
}

static outcome refuse_memory(tapetum_stream *stream)
{
    forget_memory(stream);
    say(stream, "there is no memory left to share");
    return LEFT;
}

/* Shared memory for a frame before, and once or twice after. To reserve much takes long: LEFT if there
 * was no time to end it, and the next frame goes on. */
static outcome get_memory(tapetum_stream *stream, size_t bytes, int64_t until_ns)
{
    if (stream->memory && stream->memory_bytes == bytes)
        return DONE;
    if (stream->memory_bytes != bytes) {
        forget_memory(stream);
        stream->memory_fd = memfd_create("tapetum", MFD_CLOEXEC);
        if (stream->memory_fd < 0)
            return refuse_memory(stream);
        stream->memory_bytes = bytes;
    }
    while (stream->reserved_bytes < bytes) {
        size_t left = bytes - stream->reserved_bytes;
        size_t more = left < RESERVED_AT_ONCE ? left : RESERVED_AT_ONCE;
        if (!reserve(stream->memory_fd, stream->reserved_bytes, more))
            return refuse_memory(stream);
        stream->reserved_bytes += more;
        if (more < left && now_ns() >= until_ns) {
            say(stream, STARTING);
            return LEFT;
        }
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, stream->memory_fd, 0);
    if (memory == MAP_FAILED)
        return refuse_memory(stream);
    stream->memory = memory;
    return DONE;
}

/* Take the answer that is due. DONE with it, LEFT if none came until then, LOST without a worker. */
static outcome take_answer(tapetum_stream *stream, int64_t until_ns, answer *taken)
{
    for (;;) {
        int64_t left_ns = until_ns - now_ns();
        struct pollfd ready = {stream->socket, POLLIN, 0};
        int count = poll(&ready, 1, left_ns > 0 ? (int)((left_ns + MS - 1) / MS) : 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return LEFT;
        ssize_t bytes = recv(stream->socket, taken, sizeof *taken, MSG_DONTWAIT);
        if (bytes < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (bytes != (ssize_t)sizeof *taken || taken->sequence != stream->last.sequence)
            return LOST;
        stream->waiting = false;
        stream->answers++;
        stream->alive = true;
        stream->slow = now_ns() - stream->sent_ns > stream->options.patience_ms * MS;
        taken->message[sizeof taken->message - 1] = 0;
        return DONE;
    }
}

static void prove_worker(tapetum_stream *stream)
{
    if (stream->proved || !lock_until(0)) /* the next answer will do */
        return;
    if (worker.generation == stream->generation)
        worker.proved = true;
    pthread_mutex_unlock(&worker.lock);
    stream->proved = true;
}

static bool is_warm(const tapetum_stream *stream)
{
    return stream->answers >= WARM_ANSWERS;
}

static outcome worker_ended(tapetum_stream *stream)
{
    return lose_worker(stream, NULL) ? LOST : LEFT;
}

/* Whether no answer comes any more. A worker that is not warm yet may compile for long on a slow
 * machine, as its processor time shows, which stands still where it is stuck. */
static bool is_hung(tapetum_stream *stream)
{
    int64_t now = now_ns(), waited_ms = (now - stream->sent_ns) / MS;
    if (is_warm(stream))
        return waited_ms > HUNG_MS;
    int64_t worked_ns = processor_time_ns(stream->pid);
    if (worked_ns - stream->worked_ns >= WORK_MS * MS) {
        stream->worked_ns = worked_ns;
        stream->working_ns = now;
    }
    int64_t still_ms = (now - stream->working_ns) / MS;
    return waited_ms > LONGEST_START_MS || (waited_ms < still_ms ? waited_ms : still_ms) > START_HUNG_MS;
}

/* Take the answer to an earlier frame, if there is one; LEFT while there is none. */
static outcome clear_answer(tapetum_stream *stream, answer *late)
{
    outcome came = take_answer(stream, 0, late);
    if (came == LOST)
        return worker_ended(stream);
    if (came == DONE)
        prove_worker(stream);
    if (came == LEFT && is_hung(stream))
        lose_worker(stream, "the worker hung, and is started anew");
    return came;
}

/* Hand a frame over, to be enhanced to one of so many places. */
static bool send_frame(tapetum_stream *stream, const tapetum_frame *frame, const layout *shape,
                       int places, int64_t until_ns)
{
    size_t offset = (shape->bytes + 63) & ~(size_t)63;
    if (get_memory(stream, (1 + places) * offset, until_ns) != DONE)
        return false;
    /* What is shown stays whole while the worker writes. */
    bool second = stream->shown.width && stream->shown.output_offset == offset;
    request next = {.protocol = PROTOCOL,
                    .format = frame->format,
                    .width = frame->width,
                    .height = frame->height,
                    .sequence = stream->last.sequence + 1,
                    .time_ns = frame->time_ns,
                    .output_offset = second && places > 1 ? 2 * offset : offset,
                    .strength = frame->strength,
                    .denoise = frame->denoise,
                    .before = frame->before,
                    .matrix = frame->matrix,
                    .range = frame->range,
                    .primaries = frame->primaries,
                    .transfer = frame->transfer,
                    .always = frame->always};
    const char *model = frame->model && *frame->model ? frame->model : "grid";
    if (strlen(model) >= sizeof next.model) {
        say(stream, "the model's name is too long");
        return false;
    }
    memcpy(next.model, model, strlen(model));
    if (strcmp(next.model, stream->last.model) || next.format != stream->last.format ||
        next.width != stream->last.width || next.height != stream->last.height ||
        next.denoise != stream->last.denoise || next.always != stream->last.always)
        stream->answers = 0;
    copy_pixels(frame, shape, stream->memory, false);
    stream->last = next;
    stream->sent_ns = now_ns();
    stream->waiting = true;
    /* Where this fails the worker is dead, which waiting for its answer shows. */
    int descriptor = stream->knows_memory ? -1 : stream->memory_fd;
    send_message(stream->socket, &next, sizeof next, descriptor);
    stream->knows_memory = true;
    return true;
}

static bool is_known(tapetum_stream *stream, const tapetum_frame *frame, layout *shape)
{
    bool known = lay_out(frame, shape);
    if (!known)
        say(stream, "their format is not taken, or their size is not 1 to 16384 pixels");
    return known;
}

/* A worker that has nothing to do: DONE. LEFT while it has, or while there is none. */
static outcome get_ready(tapetum_stream *stream, int64_t until_ns, answer *late)
{
    if (stream->socket < 0)
        return connect_stream(stream, until_ns);
    return stream->waiting ? clear_answer(stream, late) : DONE;
}

static outcome try_once(tapetum_stream *stream, const tapetum_frame *frame, int64_t until_ns)
{
    layout shape;
    answer taken;
    if (!is_known(stream, frame, &shape))
        return LEFT;
    outcome ready = get_ready(stream, until_ns, &taken);
    if (ready != DONE)
        return ready;
    stream->shown.width = 0;
    if (!send_frame(stream, frame, &shape, 1, until_ns))
        return LEFT;
    switch (take_answer(stream, until_ns, &taken)) {
    case LOST:
        return worker_ended(stream);
    case LEFT:
        say(stream, is_warm(stream) ? "the worker is too slow" : STARTING);
        return LEFT;
    default:
        break;
    }
    prove_worker(stream);
    if (taken.failed) {
        say(stream, taken.message);
        return LEFT;
    }
    copy_pixels(frame, &shape, stream->memory + stream->last.output_offset, true);
    return DONE;
}

/* The answer to an exchange is what is shown from now on, unless it failed or is from long ago. */
static void show(tapetum_stream *stream, const answer *taken)
{
    int64_t now = now_ns();
    stream->shown.width = 0;
    if (taken->failed)
        say(stream, taken->message);
    else if (now - stream->sent_ns <= HOLD_MS * MS) {
        stream->shown = stream->last;
        stream->shown_ns = now;
    }
}

static bool is_shown(const tapetum_stream *stream, const tapetum_frame *frame)
{
    const request *shown = &stream->shown;
    return shown->width == frame->width && shown->height == frame->height &&
           shown->format == frame->format && now_ns() - stream->shown_ns <= HOLD_MS * MS;
}

static outcome exchange_once(tapetum_stream *stream, const tapetum_frame *frame)
{
    layout shape;
    answer taken = {0};
    bool waited = stream->waiting;
    int64_t until_ns = now_ns() + stream->options.patience_ms * MS;
    if (!is_known(stream, frame, &shape))
        return LEFT;
    outcome ready = get_ready(stream, 0, &taken);
    if (ready == LOST || stream->socket < 0)
        return LEFT;
    if (ready == DONE) {
        if (waited)
            show(stream, &taken);
        if (!send_frame(stream, frame, &shape, 2, until_ns))
            return LEFT;
    }
    bool sent = ready == DONE;
    if (sent && !is_shown(stream, frame) && stream->alive && !stream->slow && !taken.failed) {
        outcome came = take_answer(stream, until_ns, &taken);
        if (came == LOST)
            return worker_ended(stream);
        if (came == DONE) {
            prove_worker(stream);
            show(stream, &taken);
        }
    }
    if (is_shown(stream, frame)) {
        copy_pixels(frame, &shape, stream->memory + stream->shown.output_offset, true);
        return DONE;
    }
    if (!taken.failed)
        say(stream, is_warm(stream) ? "the worker is too slow" : STARTING);
    return LEFT;
}

tapetum_stream *tapetum_open(const tapetum_options *options)
{
    tapetum_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->options = *options;
    stream->socket = stream->memory_fd = -1;
    const char *python = getenv("TAPETUM_PYTHON");
    if (!python || !*python)
        python = options->python ? options->python : "python3";
    snprintf(stream->python, sizeof stream->python, "%s", python);
    pthread_mutex_lock(&worker.lock);
    worker.streams++;
    pthread_mutex_unlock(&worker.lock);
    return stream;
}

bool tapetum_enhance(tapetum_stream *stream, const tapetum_frame *frame)
{
    int64_t until_ns = now_ns() + stream->options.patience_ms * MS;
    for (;;) {
        outcome came = try_once(stream, frame, until_ns);
        if (came == DONE)
            stream->reason[0] = 0;
        if (came != LOST)
            return came == DONE;
        if (!lock_until(until_ns))
            return false;
        int64_t wait_ns = worker.retry_ns - now_ns();
        pthread_mutex_unlock(&worker.lock);
        if (now_ns() + wait_ns >= until_ns)
            return false;
        struct timespec wait = {wait_ns / (1000 * MS), wait_ns % (1000 * MS)};
        if (wait_ns > 0)
            nanosleep(&wait, NULL);
    }
}

bool tapetum_exchange(tapetum_stream *stream, const tapetum_frame *frame)
{
    if (exchange_once(stream, frame) != DONE)
        return false;
    stream->reason[0] = 0;
    return true;
}

const char *tapetum_reason(const tapetum_stream *stream)
{
    return stream->reason[0] ? stream->reason : NULL;
}

/* A host that unloads the plugin would take a thread's code from under it. */
static void stay_loaded(void)
{
    Dl_info here;
    if (dladdr(&worker, &here))
        dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* Whether nothing of ours runs any more. The lock is held. */
static bool is_quiet(void)
{
    take_start();
    if (worker.socket >= 0)
        end_worker();
    if (!worker.starting && starter.joinable)
        starter.joinable = pthread_tryjoin_np(starter.thread, NULL) != 0;
    return bury_worker() && !starter.joinable;
}

void tapetum_close(tapetum_stream *stream)
{
    if (!stream)
        return;
    if (stream->socket >= 0)
        close(stream->socket);
    forget_memory(stream);
    free(stream);
    int64_t until_ns = now_ns() + CLOSE_MS * MS;
    pthread_mutex_lock(&worker.lock);
    worker.streams--;
    while (!worker.streams && !is_quiet()) {
        bool late = now_ns() >= until_ns;
        if (late && starter.joinable)
            stay_loaded();
        pthread_mutex_unlock(&worker.lock);
        if (late)
            return;
        nap(); /* the thread that starts the worker needs the lock to end */
        pthread_mutex_lock(&worker.lock);
    }
    pthread_mutex_unlock(&worker.lock);
}
