/* Load for the bench: pairs of users that ask and answer each other over WebSockets, in one epoll loop.
 *
 *   generator --a 127.0.0.1:P --b 127.0.0.1:P [--pairs N] [--bytes N] [--rate N]
 *             [--warm S] [--saturate S] [--pace S] [--watch PID,PID,...]
 *
 * A of every pair sits on endpoint --a and asks, B sits on --b and answers. First everybody is identified and paired by
 * invitation codes. Then two measured phases, each drained at its end; what does not come by then is lost:
 *
 *   saturate   every pair has exactly one message under way; the next leaves when this one is delivered and receipted
 *   pace       messages leave at fixed due times, whatever became of earlier ones; latency counts from the due time
 *
 * Every message carries its pair and number: a doubled, reordered or misdirected one ends the run, and so does an
 * `error` frame. One line of JSON goes to standard output; exit status 1 comes with a reason on standard error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 1000, INPUT_BYTES = 16384, OUTPUT_BYTES = 8192, UNDER_WAY = 1024, WATCHED = 32, SAMPLES = 1 << 22 };
enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10, SETUP_SECONDS = 20, DRAIN_SECONDS = 3, SECOND = 1000000000 };

typedef struct Conn {
    int fd, pair;
    bool asks, upgraded, identified;
    struct Conn *partner;
    uint64_t sent, delivered, receipted; /* of the messages that this end sent */
    int64_t due[UNDER_WAY];              /* ns, by number modulo UNDER_WAY */
    char json[OUTPUT_BYTES];             /* the message, complete but for its number */
    size_t json_bytes;
    char *number;
    char input[INPUT_BYTES];
    size_t input_bytes;
} Conn;
typedef struct { int64_t values[SAMPLES]; size_t count; } Samples; /* ns */
typedef struct { int64_t at, own_cpu, cpu[WATCHED]; uint64_t done; } Mark;

static enum { SETUP, SATURATE, PACE, DRAIN } phase = SETUP;
static Conn conns[2 * PAIRS]; /* memory is touched only as it is used */
static int pairs = 100, body_bytes = 230, rate = 2000, linked, loop_fd, timer_fd, watched;
static double warm_seconds = 1, saturate_seconds = 4, pace_seconds = 4;
static int watch_pid[WATCHED];
static clockid_t watch_clock[WATCHED]; /* what a process has used, all its threads together */
static uint64_t total_sent, total_done, lost, pace_next;
static int64_t pace_start, window_from, window_to; /* messages due in the window are measured */
static Samples delivery, receipt, late;

static void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t)) die("a watched process is gone");
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t now(void) { return clock_ns(CLOCK_MONOTONIC); }

static void note(Samples *samples, int64_t due, int64_t at) {
    if (due < window_from || due >= window_to) return;
    if (samples->count == SAMPLES) die("the window is too long for %d samples", SAMPLES);
    samples->values[samples->count++] = at - due;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank: the smallest value that at least `share` of the samples do not exceed. */
static double rank_us(const Samples *samples, double share) {
    if (!samples->count) return 0;
    size_t rank = (size_t)ceil(share * (double)samples->count);
    return (double)samples->values[rank ? rank - 1 : 0] / 1000;
}

static void print_samples(const char *name, Samples *samples) {
    qsort(samples->values, samples->count, sizeof *samples->values, by_size);
    printf(",\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, samples->count,
           rank_us(samples, 0.5), rank_us(samples, 0.9), rank_us(samples, 0.99), rank_us(samples, 1));
    samples->count = 0;
}

static Mark mark(void) {
    Mark m = {.at = now(), .own_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), .done = total_done};
    for (int i = 0; i < watched; i++) m.cpu[i] = clock_ns(watch_clock[i]);
    return m;
}

static void print_window(const char *name, const Mark *from, const Mark *to) {
    double seconds = (double)(to->at - from->at) / SECOND;
    uint64_t messages = to->done - from->done;
    printf("\"%s\":{\"seconds\":%.4f,\"messages\":%" PRIu64 ",\"rate\":%.1f,\"own_cpu_us\":%.1f,\"cpu_us\":{", name,
           seconds, messages, (double)messages / seconds, (double)(to->own_cpu - from->own_cpu) / 1000);
    for (int i = 0; i < watched; i++)
        printf("%s\"%d\":%.1f", i ? "," : "", watch_pid[i], (double)(to->cpu[i] - from->cpu[i]) / 1000);
    printf("}");
    print_samples("delivery_us", &delivery);
    print_samples("receipt_us", &receipt);
    print_samples("late_us", &late);
    printf("},");
}

/* --- frames out --- */

static void send_frame(Conn *c, int opcode, const char *data, size_t bytes) {
    static uint32_t key = 2463534242u;
    unsigned char out[OUTPUT_BYTES + 8];
    size_t head = 2;
    if (bytes > OUTPUT_BYTES) die("a frame to send is too long");
    out[0] = (unsigned char)(0x80 | opcode);
    out[1] = (unsigned char)(0x80 | (bytes < 126 ? bytes : 126));
    if (bytes >= 126) out[head++] = (unsigned char)(bytes >> 8), out[head++] = (unsigned char)bytes;
    key ^= key << 13, key ^= key >> 17, key ^= key << 5; /* xorshift: servers must unmask for real */
    memcpy(out + head, &key, 4);
    const unsigned char *mask = out + head;
    unsigned char *body = out + head + 4;
    for (size_t i = 0; i < bytes; i++) body[i] = (unsigned char)data[i] ^ mask[i & 3];
    size_t length = head + 4 + bytes;
    ssize_t gone = send(c->fd, out, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (gone != (ssize_t)length) die("a server does not read, or is gone: %s", strerror(errno));
}

static void send_text(Conn *c, const char *format, ...) {
    char text[512];
    va_list values;
    va_start(values, format);
    int bytes = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    send_frame(c, TEXT, text, (size_t)bytes);
}

static void send_message(Conn *c, int64_t due) {
    uint64_t number = c->sent++, oldest = c->delivered < c->receipted ? c->delivered : c->receipted;
    if (number - oldest >= UNDER_WAY) die("more than %d messages of one user under way: overloaded", UNDER_WAY);
    c->due[number % UNDER_WAY] = due;
    for (int i = 9; i >= 0; i--, number /= 10) c->number[i] = (char)('0' + number % 10);
    total_sent++;
    send_frame(c, TEXT, c->json, c->json_bytes);
    if (phase == PACE) note(&late, due, now());
}

static void compose(Conn *c) {
    char filler[OUTPUT_BYTES];
    static const char words[] = "may I ask what the plan for the week is, and who takes part? ";
    int fill = body_bytes - 16;
    for (int i = 0; i < fill; i++) filler[i] = words[(size_t)i % (sizeof words - 1)];
    const char *type = c->asks ? "ask" : "answer", *to = c->asks ? "bob" : "ann";
    static const char format[] = "{\"type\":\"%s\",\"content\":\"%04d.0000000000 %.*s\",\"to\":\"%s%d\"}";
    c->json_bytes = (size_t)snprintf(c->json, sizeof c->json, format, type, c->pair, fill, filler, to, c->pair);
    c->number = strchr(c->json, '.') + 1;
}

/* --- frames in --- */

/* Where the string value of a key begins, or NULL. White space around the colon is tolerated. */
static const char *value_of(const char *text, size_t bytes, const char *key) {
    const char *end = text + bytes, *at = memmem(text, bytes, key, strlen(key));
    if (!at) return NULL;
    for (at += strlen(key); at < end && (*at == ':' || *at == ' '); at++) {}
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* Check that the frame is about message `number` of the pair, and return when that message was due. */
static int64_t due_of(const Conn *sender, uint64_t number, const char *text, size_t bytes) {
    const char *content = value_of(text, bytes, "\"content\"");
    if (!content || text + bytes - content < 16) die("a frame without our content: %.*s", (int)bytes, text);
    if (atoi(content) != sender->pair || strtoull(content + 5, NULL, 10) != number || number >= sender->sent)
        die("pair %d waits for message %" PRIu64 ", but got %.15s", sender->pair, number, content);
    return sender->due[number % UNDER_WAY];
}

static void message_done(const Conn *sender, int64_t at) {
    total_done++;
    if (phase == SATURATE) send_message(sender->partner, at);
}

static void on_setup_frame(Conn *c, const char *type, const char *text, size_t bytes) {
    if (!strncmp(type, "connected\"", 10)) {
        send_text(c, "{\"type\":\"identify\",\"username\":\"%s%d\",\"nickname\":\"%s %d\"}", c->asks ? "ann" : "bob",
                  c->pair, c->asks ? "Ann" : "Bob", c->pair);
    } else if (!strncmp(type, "identified\"", 11)) {
        c->identified = true;
        if (c->partner->identified) send_text(c->asks ? c : c->partner, "{\"type\":\"create_invite\"}");
    } else if (!strncmp(type, "invite_created\"", 15)) {
        const char *code = value_of(text, bytes, "\"code\"");
        if (!code) die("an invitation without a code");
        send_text(c->partner, "{\"type\":\"connect\",\"code\":\"%.*s\"}", (int)strcspn(code, "\""), code);
    } else if (!strncmp(type, c->asks ? "friend_connected\"" : "connected_to_friend\"", c->asks ? 17 : 20)) {
        linked++;
    } else {
        die("unexpected frame: %.*s", (int)bytes, text);
    }
}

static void on_text(Conn *c, const char *text, size_t bytes) {
    const char *type = value_of(text, bytes, "\"type\"");
    if (!type) die("a frame without type: %.*s", (int)bytes, text);
    const char *push = c->asks ? "answer\"" : "question\"", *sent = c->asks ? "question_sent\"" : "answer_sent\"";
    Conn *sender = c->partner;
    int64_t at = now();
    if (!strncmp(type, "error\"", 6)) {
        die("an error frame: %.*s", (int)bytes, text);
    } else if (!strncmp(type, push, strlen(push))) {
        note(&delivery, due_of(sender, sender->delivered, text, bytes), at);
        if (++sender->delivered <= sender->receipted) message_done(sender, at);
    } else if (!strncmp(type, sent, strlen(sent))) {
        note(&receipt, due_of(c, c->receipted, text, bytes), at);
        if (++c->receipted <= c->delivered) message_done(c, at);
    } else {
        on_setup_frame(c, type, text, bytes);
    }
}

static size_t take_handshake(Conn *c) {
    const char *end = memmem(c->input, c->input_bytes, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t bytes = (size_t)(end - c->input) + 4;
    if (strncmp(c->input, "HTTP/1.1 101", 12) || !memmem(c->input, bytes, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28))
        die("the handshake was refused: %.60s", c->input);
    c->upgraded = true;
    return bytes;
}

/* Handle the frame that begins at `at` and return its length, or 0 if it is not all there yet. */
static size_t take_frame(Conn *c, size_t at) {
    const unsigned char *in = (const unsigned char *)c->input + at;
    size_t there = c->input_bytes - at, head = 2;
    if (there < 2) return 0;
    size_t bytes = in[1];
    if (bytes == 126) {
        if (there < 4) return 0;
        bytes = (size_t)in[2] << 8 | in[3];
        head = 4;
    }
    if (bytes > INPUT_BYTES - head || in[1] > 126) die("a frame from the server is masked or too long");
    if (there < head + bytes) return 0;
    const char *data = (const char *)in + head;
    if (in[0] == (0x80 | TEXT)) on_text(c, data, bytes);
    else if (in[0] == (0x80 | PING)) send_frame(c, PONG, data, bytes);
    else if (in[0] == (0x80 | CLOSE)) die("a server closed with %d", bytes > 1 ? in[head] << 8 | in[head + 1] : 0);
    else if (in[0] != (0x80 | PONG)) die("a frame from the server begins with 0x%02x", in[0]);
    return head + bytes;
}

static void on_readable(Conn *c) {
    ssize_t got = recv(c->fd, c->input + c->input_bytes, INPUT_BYTES - c->input_bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) die("a server dropped a connection");
    c->input_bytes += (size_t)got;
    size_t at = 0, taken;
    while ((taken = c->upgraded ? take_frame(c, at) : take_handshake(c))) at += taken;
    c->input_bytes -= at;
    memmove(c->input, c->input + at, c->input_bytes);
}

/* --- phases --- */

static void send_due(void) {
    uint64_t ticks;
    if (read(timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer: %s", strerror(errno));
    for (int64_t at = now(); phase == PACE; pace_next++) {
        int64_t due = pace_start + (int64_t)(pace_next * (uint64_t)SECOND / (uint64_t)rate);
        if (due > at || due >= window_to) return;
        uint64_t turn = pace_next / (uint64_t)pairs & 1; /* all ask, then all answer */
        send_message(&conns[2 * (pace_next % (uint64_t)pairs) + turn], due);
    }
}

static void serve(int64_t until, bool (*finished)(void)) {
    struct epoll_event events[256];
    for (int64_t left; (left = until - now()) > 0 && !(finished && finished());) {
        int count = epoll_wait(loop_fd, events, 256, (int)(left / 1000000) + 1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) on_readable(events[i].data.ptr);
            else send_due();
        }
    }
}

static bool all_linked(void) { return linked == 2 * pairs; }

static bool all_done(void) { return total_done == total_sent; }

static void run_window(const char *name, double seconds) {
    window_from = now() + (int64_t)(warm_seconds * SECOND);
    window_to = window_from + (int64_t)(seconds * SECOND);
    serve(window_from, NULL);
    Mark from = mark();
    serve(window_to, NULL);
    Mark to = mark();
    phase = DRAIN;
    serve(now() + (int64_t)DRAIN_SECONDS * SECOND, all_done);
    lost = total_sent - total_done;
    print_window(name, &from, &to);
}

static void saturate(void) {
    phase = SATURATE;
    for (int i = 0; i < pairs; i++) send_message(&conns[2 * i], now());
    run_window("saturated", saturate_seconds);
}

static void pace(void) {
    struct itimerspec every = {{0, SECOND / rate}, {0, SECOND / rate}};
    timerfd_settime(timer_fd, 0, &every, NULL);
    phase = PACE;
    pace_start = now();
    run_window("paced", pace_seconds);
}

/* --- start --- */

static struct sockaddr_in endpoint(const char *text) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[16] = "";
    unsigned port = 0;
    if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        ntohl(address.sin_addr.s_addr) >> 24 != 127 || !port || port > 65535)
        die("an endpoint is 127.0.0.1:<port>, not %s", text);
    address.sin_port = htons((uint16_t)port);
    return address;
}

static void join(Conn *c, const struct sockaddr_in *address) {
    static const char hello[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (const struct sockaddr *)address, sizeof *address)) die("connect: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (send(c->fd, hello, sizeof hello - 1, MSG_NOSIGNAL) < 0) die("handshake: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(loop_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void set_up(const struct sockaddr_in *a, const struct sockaddr_in *b) {
    loop_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(loop_fd, EPOLL_CTL_ADD, timer_fd, &event);
    for (int i = 0; i < 2 * pairs; i++) {
        conns[i] = (Conn){.pair = i / 2, .asks = i % 2 == 0, .partner = &conns[i ^ 1]};
        compose(&conns[i]);
        join(&conns[i], i % 2 ? b : a);
    }
    serve(now() + (int64_t)SETUP_SECONDS * SECOND, all_linked);
    if (!all_linked()) die("only %d of %d users were paired in %d s", linked, 2 * pairs, SETUP_SECONDS);
}

static void watch(char *pids) {
    for (char *pid = strtok(pids, ","); pid; pid = strtok(NULL, ","), watched++) {
        if (watched == WATCHED) die("more than %d processes to watch", WATCHED);
        watch_pid[watched] = atoi(pid);
        if (clock_getcpuclockid(watch_pid[watched], &watch_clock[watched])) die("there is no process %s", pid);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in a = {0}, b = {0};
    for (int i = 1; i < argc; i += 2) {
        char *name = argv[i], *value = argv[i + 1];
        if (!value) die("%s needs a value", name);
        if (!strcmp(name, "--a")) a = endpoint(value);
        else if (!strcmp(name, "--b")) b = endpoint(value);
        else if (!strcmp(name, "--pairs")) pairs = atoi(value);
        else if (!strcmp(name, "--bytes")) body_bytes = atoi(value);
        else if (!strcmp(name, "--rate")) rate = atoi(value);
        else if (!strcmp(name, "--warm")) warm_seconds = atof(value);
        else if (!strcmp(name, "--saturate")) saturate_seconds = atof(value);
        else if (!strcmp(name, "--pace")) pace_seconds = atof(value);
        else if (!strcmp(name, "--watch")) watch(value);
        else die("unknown option %s", name);
    }
    if (!a.sin_port || !b.sin_port || pairs < 1 || pairs > PAIRS || rate < 2 || body_bytes < 16 || body_bytes > 4096)
        die("needs --a and --b, 1 to %d pairs, a rate of 2 or more, and 16 to 4096 bytes", PAIRS);
    set_up(&a, &b);
    printf("{");
    saturate();
    if (!lost) pace();
    printf("\"lost\":%" PRIu64 "}\n", lost);
    return 0;
}
