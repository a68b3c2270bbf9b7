/*
 * How long a core is taken away from a program that only reads the clock.
 *
 *   machine_gaps SECONDS    one line of JSON a core: core, share, longest_ms
 *
 * A thread on each core reads the clock without a pause. Two readings more than a millisecond apart are a
 * gap: somebody else had the core, the host of a virtual machine most of all. `share` is what gaps sum up
 * to, of the time.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GAP_NS 1e6
#define CORES_MAX 256

static double seconds;

typedef struct core {
    pthread_t thread;
    int number;
    double lost_ns, longest_ns;
} core;

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *watch(void *context)
{
    core *ours = context;
    const double began = now_ns();
    double last = began;
    while (last - began < seconds * 1e9) {
        const double now = now_ns();
        const double gap = now - last;
        last = now;
        if (gap > GAP_NS) ours->lost_ns += gap;
        if (gap > ours->longest_ns) ours->longest_ns = gap;
    }
    return NULL;
}

int main(int count, char **words)
{
    static core cores[CORES_MAX];
    cpu_set_t allowed;
    int used = 0;
    seconds = count > 1 ? atof(words[1]) : 1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    for (int number = 0; number < CORES_MAX; number++) {
        if (!CPU_ISSET(number, &allowed)) continue;
        cpu_set_t one;
        pthread_attr_t attributes;
        CPU_ZERO(&one);
        CPU_SET(number, &one);
        pthread_attr_init(&attributes);
        pthread_attr_setaffinity_np(&attributes, sizeof one, &one);
        cores[used].number = number;
        if (pthread_create(&cores[used].thread, &attributes, watch, &cores[used]) != 0) return 1;
        used++;
    }
    for (int index = 0; index < used; index++) {
        pthread_join(cores[index].thread, NULL);
        printf("{\"core\": %d, \"share\": %.6f, \"longest_ms\": %.3f}\n", cores[index].number,
               cores[index].lost_ns / (seconds * 1e9), cores[index].longest_ns / 1e6);
    }
    return 0;
}
