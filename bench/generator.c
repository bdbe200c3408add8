/* Load for the bench: pairs of users that ask and answer each other over WebSockets, in one epoll loop.
 *
 *   generator --a 127.0.0.1:P --b 127.0.0.1:P [--pairs N] [--bytes N] [--rate N]
 *             [--warm S] [--saturate S] [--pace S] [--watch PID,PID,...] [--stored 0|1] [--ack-every N]
 *             [--chat TOKEN,TOKEN,...]
 *
 * A of every pair sits on endpoint --a and asks, B sits on --b and answers. First everybody is identified and paired by
 * invitation codes. Then two measured phases, each drained at its end; what does not come by then is lost:
 *
 *   saturate   every pair has exactly one message under way; the next leaves when this one is delivered and receipted
 *   pace       messages leave at fixed due times, whatever became of earlier ones; latency counts from the due time
 *
 * With --stored 1 both ends are extended clients whose messages go through mailboxes: every message has an id, every
 * n-th delivery is acknowledged, along with those before it, and a receipt must say `delivered`.
 *
 * With --chat the pairs are those of the CoralMux relay, which these tokens stand for: A is the agent and streams chunks of
 * an answer to B, its phone. Nothing is receipted; a chunk is done when it is there.
 *
 * Every message carries its pair and number: a doubled, reordered or misdirected one ends the run, and so does an
 * `error` frame. One line of JSON goes to standard output; exit status 1 comes with a reason on standard error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "frames.h"
#include "samples.h"

enum { PAIRS = 1000, TOKEN_BYTES = 64, INPUT_BYTES = 16384, OUTPUT_BYTES = 8192, UNDER_WAY = 1024, ID_BYTES = 65, OFFSET_BYTES = 65 };
enum { SETUP_SECONDS = 20, DRAIN_SECONDS = 3 };

typedef struct Conn {
    int fd, pair;
    bool asks, upgraded, identified;
    struct Conn *partner;
    uint64_t sent, delivered, receipted; /* of the messages that this end sent */
    int64_t due[UNDER_WAY];              /* ns, by number modulo UNDER_WAY */
    char json[OUTPUT_BYTES];             /* the message, complete but for its number */
    size_t json_bytes;
    char *number, *id_number; /* where the number stands in it; the second only if messages are stored */
    char input[INPUT_BYTES];
    size_t input_bytes;
} Conn;
static enum { SETUP, SATURATE, PACE, DRAIN } phase = SETUP;
static Conn conns[2 * PAIRS]; /* memory is touched only as it is used */
static int pairs = 100, body_bytes = 230, rate = 2000, ack_every = 1, linked, loop_fd, timer_fd;
static bool stored, chat;
static char tokens[PAIRS][TOKEN_BYTES];
static double warm_seconds = 1, saturate_seconds = 4, pace_seconds = 4;
static uint64_t total_sent, total_done, lost, pace_next;
static int64_t pace_start;

/* --- frames out --- */

static void send_frame(Conn *c, int opcode, const char *data, size_t bytes) {
    unsigned char out[OUTPUT_BYTES + HEAD_BYTES];
    if (bytes > OUTPUT_BYTES) die("a frame to send is too long");
    size_t length = pack_frame(out, opcode, data, bytes);
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

static void put_number(char *digits, uint64_t number) {
    for (int i = 9; i >= 0; i--, number /= 10) digits[i] = (char)('0' + number % 10);
}

static void send_message(Conn *c, int64_t due) {
    uint64_t number = c->sent++, oldest = c->delivered < c->receipted ? c->delivered : c->receipted;
    if (number - oldest >= UNDER_WAY) die("more than %d messages of one user under way: overloaded", UNDER_WAY);
    c->due[number % UNDER_WAY] = due;
    put_number(c->number, number);
    if (stored) put_number(c->id_number, number);
    total_sent++;
    send_frame(c, TEXT, c->json, c->json_bytes);
    if (phase == PACE) note(&late, due, now());
}

static char side(const Conn *c) { return c->asks ? 'a' : 'b'; }

static const char *content_key(void) { return chat ? "\"delta\"" : "\"content\""; }

static void compose(Conn *c) {
    char filler[OUTPUT_BYTES], id[ID_BYTES] = "";
    static const char words[] = "may I ask what the plan for the week is, and who takes part? ";
    int fill = body_bytes - 16;
    for (int i = 0; i < fill; i++) filler[i] = words[(size_t)i % (sizeof words - 1)];
    const char *type = c->asks ? "ask" : "answer", *to = c->asks ? "bob" : "ann";
    if (stored) snprintf(id, sizeof id, ",\"id\":\"%04d%c-0000000000\"", c->pair, side(c));
    static const char chunk[] = "{\"v\":1,\"type\":\"chat.stream\",\"id\":\"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed\","
                                "\"ts\":1800000000000,\"payload\":{\"delta\":\"%04d.0000000000 %.*s\",\"seq\":1}}";
    static const char format[] = "{\"type\":\"%s\",\"content\":\"%04d.0000000000 %.*s\",\"to\":\"%s%d\"%s}";
    int bytes = chat ? snprintf(c->json, sizeof c->json, chunk, c->pair, fill, filler)
                     : snprintf(c->json, sizeof c->json, format, type, c->pair, fill, filler, to, c->pair, id);
    c->json_bytes = (size_t)bytes;
    c->number = c->json + (value_of(c->json, c->json_bytes, content_key()) - c->json) + 5;
    if (stored) c->id_number = strrchr(c->json, '-') + 1;
}

/* --- frames in --- */

/* Check that the frame is about message `number` of the pair, and return when that message was due. */
static int64_t due_of(const Conn *sender, uint64_t number, const char *text, size_t bytes) {
    const char *content = value_of(text, bytes, content_key());
    if (!content || text + bytes - content < 16) die("a frame without our content: %.*s", (int)bytes, text);
    if (atoi(content) != sender->pair || strtoull(content + 5, NULL, 10) != number || number >= sender->sent)
        die("pair %d waits for message %" PRIu64 ", but got %.15s", sender->pair, number, content);
    if (stored) {
        char id[ID_BYTES], got[ID_BYTES];
        snprintf(id, sizeof id, "%04d%c-%010" PRIu64, sender->pair, side(sender), number);
        if (!copy_value(text, bytes, "\"id\"", got, sizeof got) || strcmp(id, got))
            die("message %s does not carry its id: %.*s", id, (int)bytes, text);
    }
    return sender->due[number % UNDER_WAY];
}

/* Say that delivery number `count` is safe, and all before it. Ends a run whose mail cannot be acknowledged. */
static void acknowledge(Conn *c, uint64_t count, const char *text, size_t bytes) {
    char offset[OFFSET_BYTES];
    if (!copy_value(text, bytes, "\"offset\"", offset, sizeof offset))
        die("a message that is not from the mailbox: %.*s", (int)bytes, text);
    if (count % (uint64_t)ack_every == 0) send_text(c, "{\"type\":\"ack\",\"upTo\":\"%s\"}", offset);
}

/* Both ends are there all the time: a message that had to wait for its reader is a fault of the exchange. */
static void check_status(const char *text, size_t bytes) {
    char status[16];
    if (!copy_value(text, bytes, "\"status\"", status, sizeof status) || strcmp(status, "delivered"))
        die("a receipt that does not say delivered: %.*s", (int)bytes, text);
}

static void message_done(Conn *sender, int64_t at) {
    total_done++;
    if (phase == SATURATE) send_message(chat ? sender : sender->partner, at);
}

static void authenticate(Conn *c) {
    send_text(c, "{\"v\":1,\"type\":\"auth\",\"payload\":{\"token\":\"%s\",\"role\":\"%s\"}}", tokens[c->pair],
              c->asks ? "agent" : "phone");
}

static void identify(Conn *c) {
    static const char features[] = ",\"features\":[\"ids\",\"resume\",\"persist\",\"offline\"]";
    const char *who = c->asks ? "ann" : "bob", *nick = c->asks ? "Ann" : "Bob", *wanted = stored ? features : "";
    send_text(c, "{\"type\":\"identify\",\"username\":\"%s%d\",\"nickname\":\"%s %d\"%s}", who, c->pair, nick, c->pair,
              wanted);
}

static void on_setup_frame(Conn *c, const char *type, const char *text, size_t bytes) {
    if (!strncmp(type, "connected\"", 10)) {
        identify(c);
    } else if (!strncmp(type, "identified\"", 11)) {
        if (stored && !memmem(text, bytes, "\"offline\"", 9)) die("mail is not offered: %.*s", (int)bytes, text);
        c->identified = true;
        if (c->partner->identified) send_text(c->asks ? c : c->partner, "{\"type\":\"create_invite\"}");
    } else if (!strncmp(type, "invite_created\"", 15)) {
        char code[32];
        if (!copy_value(text, bytes, "\"code\"", code, sizeof code)) die("an invitation without a code");
        send_text(c->partner, "{\"type\":\"connect\",\"code\":\"%s\"}", code);
    } else if (!strncmp(type, c->asks ? "friend_connected\"" : "connected_to_friend\"", c->asks ? 17 : 20)) {
        linked++;
    } else if (!stored || strncmp(type, "friend_presence\"", 16)) {
        die("unexpected frame: %.*s", (int)bytes, text);
    }
}

static void on_relayed(Conn *c, const char *type, const char *text, size_t bytes) {
    Conn *agent = c->partner;
    int64_t at = now();
    if (!strncmp(type, "chat.stream\"", 12) && !c->asks) {
        note(&delivery, due_of(agent, agent->delivered, text, bytes), at);
        agent->receipted = ++agent->delivered;
        message_done(agent, at);
    } else if (!strncmp(type, "auth.ok\"", 8)) {
        c->identified = true;
        if (c->partner->identified) linked += 2;
    } else if (strncmp(type, "status\"", 7) || !memmem(text, bytes, "\"online\"", 8)) {
        die("unexpected frame: %.*s", (int)bytes, text);
    }
}

static void on_text(Conn *c, const char *text, size_t bytes) {
    const char *type = value_of(text, bytes, "\"type\"");
    if (!type) die("a frame without type: %.*s", (int)bytes, text);
    if (chat) {
        on_relayed(c, type, text, bytes);
        return;
    }
    const char *push = c->asks ? "answer\"" : "question\"", *sent = c->asks ? "question_sent\"" : "answer_sent\"";
    Conn *sender = c->partner;
    int64_t at = now();
    if (!strncmp(type, "error\"", 6)) {
        die("an error frame: %.*s", (int)bytes, text);
    } else if (!strncmp(type, push, strlen(push))) {
        note(&delivery, due_of(sender, sender->delivered, text, bytes), at);
        if (stored) acknowledge(c, sender->delivered + 1, text, bytes);
        if (++sender->delivered <= sender->receipted) message_done(sender, at);
    } else if (!strncmp(type, sent, strlen(sent))) {
        note(&receipt, due_of(c, c->receipted, text, bytes), at);
        if (stored) check_status(text, bytes);
        if (++c->receipted <= c->delivered) message_done(c, at);
    } else {
        on_setup_frame(c, type, text, bytes);
    }
}

static size_t take_handshake(Conn *c) {
    const char *end = memmem(c->input, c->input_bytes, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t bytes = (size_t)(end - c->input) + 4;
    if (strncmp(c->input, "HTTP/1.1 101", 12) || !memmem(c->input, bytes, ACCEPT, sizeof ACCEPT - 1))
        die("the handshake was refused: %.60s", c->input);
    c->upgraded = true;
    if (chat) authenticate(c);
    return bytes;
}

/* Handle the frame that begins at `at` and return its length, or 0 if it is not all there yet. */
static size_t take_frame(Conn *c, size_t at) {
    Frame f;
    size_t length = unpack_frame(c->input + at, c->input_bytes - at, INPUT_BYTES, &f);
    if (!length) return 0;
    if (length > INPUT_BYTES) die("a frame from the server is masked or too long");
    const unsigned char *code = (const unsigned char *)f.data;
    if (f.first == (0x80 | TEXT)) on_text(c, f.data, f.bytes);
    else if (f.first == (0x80 | PING)) send_frame(c, PONG, f.data, f.bytes);
    else if (f.first == (0x80 | CLOSE)) die("a server closed with %d", f.bytes > 1 ? code[0] << 8 | code[1] : 0);
    else if (f.first != (0x80 | PONG)) die("a frame from the server begins with 0x%02x", f.first);
    return length;
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
        uint64_t turn = chat ? 0 : pace_next / (uint64_t)pairs & 1; /* all ask, then all answer */
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
    Mark from = mark(total_done);
    serve(window_to, NULL);
    Mark to = mark(total_done);
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
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (const struct sockaddr *)address, sizeof *address)) die("connect: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char hello[sizeof HELLO + 16];
    int bytes = snprintf(hello, sizeof hello, HELLO, chat ? "/coralmux/ws" : "/");
    if (send(c->fd, hello, (size_t)bytes, MSG_NOSIGNAL) < 0) die("handshake: %s", strerror(errno));
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

/* Take the tokens of all pairs, separated by commas. */
static void take_tokens(char *text) {
    chat = true;
    int count = 0;
    for (char *token = strtok(text, ","); token; token = strtok(NULL, ","), count++) {
        if (count == PAIRS || strlen(token) >= TOKEN_BYTES) die("more than %d tokens, or one that is none", PAIRS);
        strcpy(tokens[count], token);
    }
    if (count < pairs) die("%d pairs and only %d tokens", pairs, count);
}

int main(int argc, char **argv) {
    struct sockaddr_in a = {0}, b = {0};
    char *chosen = NULL;
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
        else if (!strcmp(name, "--stored")) stored = atoi(value) != 0;
        else if (!strcmp(name, "--ack-every")) ack_every = atoi(value);
        else if (!strcmp(name, "--chat")) chosen = value;
        else die("unknown option %s", name);
    }
    if (!a.sin_port || !b.sin_port || pairs < 1 || pairs > PAIRS || rate < 2 || body_bytes < 16 || body_bytes > 4096)
        die("needs --a and --b, 1 to %d pairs, a rate of 2 or more, and 16 to 4096 bytes", PAIRS);
    /* More than half a window of 64 unacknowledged, and the exchange would wait for the load. */
    if (ack_every < 1 || ack_every > 32) die("every 1st to 32nd delivery can be acknowledged, not every %d", ack_every);
    if (chosen) take_tokens(chosen);
    set_up(&a, &b);
    printf("{");
    saturate();
    if (!lost) pace();
    printf("\"lost\":%" PRIu64 "}\n", lost);
    return 0;
}
