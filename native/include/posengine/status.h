/* What a call answers, and whose fault it is. The list itself is status.def. */
#ifndef POSENGINE_STATUS_H
#define POSENGINE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(POS_BUILD)
#define POS_API __attribute__((visibility("default")))
#else
#define POS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pos_status {
#define POS_STATUS(name, whose, text) POS_##name,
#include "posengine/status.def"
#undef POS_STATUS
    POS_STATUS_COUNT
} pos_status;

typedef enum pos_whose { POS_PEER, POS_OPERATOR, POS_DISK, POS_US } pos_whose;

/* Static strings; an unknown number gives "unknown status". Never NULL. */
POS_API const char *pos_status_name(pos_status status);
POS_API const char *pos_status_text(pos_status status);
POS_API pos_whose pos_status_whose(pos_status status);
/* The library's version, as "0.1.0". */
POS_API const char *pos_version(void);

#ifdef __cplusplus
}
#endif
#endif
