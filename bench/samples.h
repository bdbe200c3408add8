/* What is measured: latencies of a window, and what the watched processes have used at its two borders. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WATCHED = 32, SAMPLES = 1 << 22, SECOND = 1000000000 };

typedef struct { int64_t values[SAMPLES]; size_t count; } Samples; /* ns */
typedef struct { int64_t at, own_cpu, cpu[WATCHED]; uint64_t done; } Mark;

static int watched, watch_pid[WATCHED];
static clockid_t watch_clock[WATCHED]; /* what a process has used, all its threads together */
static int64_t window_from, window_to; /* messages due in the window are measured */
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

static void watch(char *pids) {
    for (char *pid = strtok(pids, ","); pid; pid = strtok(NULL, ","), watched++) {
        if (watched == WATCHED) die("more than %d processes to watch", WATCHED);
        watch_pid[watched] = atoi(pid);
        if (clock_getcpuclockid(watch_pid[watched], &watch_clock[watched])) die("there is no process %s", pid);
    }
}

static Mark mark(uint64_t done) {
    Mark m = {.at = now(), .own_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), .done = done};
    for (int i = 0; i < watched; i++) m.cpu[i] = clock_ns(watch_clock[i]);
    return m;
}

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
