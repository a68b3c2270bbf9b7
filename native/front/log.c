/* Log lines on stderr: a stamp, then key=value pairs. One write a line, so lines never mix. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "front/front.h"

#define LINE_SIZE_MAX 640

void pos_log_stderr(void *context, const char *line, size_t size)
{
    (void)context;
    char text[LINE_SIZE_MAX];
    const int64_t now_ns = pos_clock_utc_ns();
    const time_t seconds = (time_t)(now_ns / 1000000000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL) return;
    size_t used = strftime(text, sizeof text, "ts=%Y-%m-%dT%H:%M:%S", &parts);
    const int more = snprintf(text + used, sizeof text - used, ".%06dZ ",
                              (int)(now_ns % 1000000000 / 1000));
    if (more < 0) return;
    used += (size_t)more;
    const size_t room = sizeof text - used - 1;
    const size_t taken = size < room ? size : room;
    pos_copy(text + used, line, taken);
    text[used + taken] = '\n';
    /* A log that cannot be written must not stop the engine. */
    const ssize_t written = write(STDERR_FILENO, text, used + taken + 1);
    (void)written;
}
