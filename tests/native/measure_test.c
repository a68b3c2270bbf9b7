/*
 * Goal: a histogram's percentiles are never below the true ones and at most 1/64 above.
 * Method: random values against a sorted list.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "measure/measure.h"

#define COUNT 20000

static int by_value(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

static void test_percentiles_are_those_of_the_sorted_list(void)
{
    static uint64_t values[COUNT];
    static pos_histogram whole;
    static pos_histogram halves[2];
    uint64_t state = 20261121;
    for (size_t index = 0; index < COUNT; index++) {
        values[index] = next_random(&state) >> (next_random(&state) % 30);
        pos_histogram_record(&whole, values[index]);
        pos_histogram_record(&halves[index % 2], values[index]);
    }
    pos_histogram_add(&halves[0], &halves[1]);
    qsort(values, COUNT, sizeof values[0], by_value);
    const double percents[] = {0.1, 1, 25, 50, 90, 99, 99.9, 100};
    for (size_t index = 0; index < sizeof percents / sizeof percents[0]; index++) {
        const double rank = COUNT * percents[index] / 100.0;
        size_t at = (size_t)rank;
        if ((double)at < rank) at++;
        const uint64_t wanted = values[at - 1];
        const uint64_t found = pos_histogram_percentile(&whole, percents[index]);
        CHECK(found >= wanted);
        CHECK(found <= wanted + wanted / 64 + 1);
        CHECK(found == pos_histogram_percentile(&halves[0], percents[index]));
    }
    CHECK(pos_histogram_percentile(&whole, 100) == values[COUNT - 1]);
}

static void test_extremes_have_a_bucket(void)
{
    static pos_histogram histogram;
    pos_histogram_record(&histogram, 0);
    pos_histogram_record(&histogram, UINT64_MAX);
    CHECK(histogram.count == 2);
    CHECK(pos_histogram_percentile(&histogram, 0) == 0);
    CHECK(pos_histogram_percentile(&histogram, 100) == ((UINT64_C(1) << 40) - 1));
}

static void test_clocks_move_forward(void)
{
    const int64_t before = pos_clock_monotonic_ns();
    CHECK(pos_clock_monotonic_ns() >= before);
    CHECK(pos_clock_utc_ns() > INT64_C(1700000000) * 1000000000);
}

static void test_a_path_goes_by_its_name_and_is_one_that_the_machine_has(void)
{
    for (unsigned path = 0; path < POS_CPU_PATH_COUNT; path++) {
        pos_cpu_path found = POS_CPU_PATH_COUNT;
        CHECK(pos_cpu_path_of(pos_cpu_path_name((pos_cpu_path)path), &found));
        CHECK(found == (pos_cpu_path)path);
    }
    pos_cpu_path untouched = POS_CPU_AVX2;
    CHECK(!pos_cpu_path_of("AVX2", &untouched) && untouched == POS_CPU_AVX2);
    CHECK(pos_cpu_path_now() <= pos_cpu_path_best());
#if defined(__x86_64__)
    /* The compiler's own question, asked the other way. */
    __builtin_cpu_init();
    CHECK((pos_cpu_path_best() >= POS_CPU_AVX2) == (__builtin_cpu_supports("avx2")
          && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("aes") ? true : false));
    CHECK((pos_cpu_path_best() == POS_CPU_AVX512) == (__builtin_cpu_supports("avx512vbmi")
          && __builtin_cpu_supports("gfni") ? true : false));
#endif
}

static void test_the_environment_names_the_highest_path(void)
{
    CHECK(setenv("POSENGINE_CPU", "portable", 1) == 0);
    CHECK(pos_cpu_path_now() == POS_CPU_PORTABLE); /* nobody asked before */
    CHECK(!pos_cpu_has_sha());
    CHECK(pos_cpu_asked_is_met());
    CHECK(setenv("POSENGINE_CPU", "avx512", 1) == 0);
    CHECK(pos_cpu_path_now() == POS_CPU_PORTABLE); /* what was found out stays */
}

/* Each in a process of its own, since a process asks once. */
static bool is_met_in_a_process(const char *asked, pos_cpu_path *now_out)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(asked == NULL ? unsetenv("POSENGINE_CPU") == 0
                            : setenv("POSENGINE_CPU", asked, 1) == 0);
        _exit((pos_cpu_asked_is_met() ? 16 : 0) | (int)pos_cpu_path_now());
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    *now_out = (pos_cpu_path)(WEXITSTATUS(status) & 15);
    return (WEXITSTATUS(status) & 16) != 0;
}

static void test_what_cannot_be_met_is_said(void)
{
    pos_cpu_path best = POS_CPU_PORTABLE;
    pos_cpu_path now = POS_CPU_PORTABLE;
    CHECK(is_met_in_a_process(NULL, &best));
    CHECK(is_met_in_a_process("", &now) && now == best);
    CHECK(!is_met_in_a_process("avx9", &now) && now == best);
    CHECK(!is_met_in_a_process("PORTABLE", &now) && now == best);
    for (unsigned path = 0; path < POS_CPU_PATH_COUNT; path++) {
        const bool is_met = is_met_in_a_process(pos_cpu_path_name((pos_cpu_path)path), &now);
        CHECK(is_met == (path <= best));
        CHECK(now == (is_met ? (pos_cpu_path)path : best));
    }
}

int main(void)
{
    test_what_cannot_be_met_is_said(); /* first: this process has asked nothing yet */
    test_the_environment_names_the_highest_path();
    test_a_path_goes_by_its_name_and_is_one_that_the_machine_has();
    test_percentiles_are_those_of_the_sorted_list();
    test_extremes_have_a_bucket();
    test_clocks_move_forward();
    return 0;
}
