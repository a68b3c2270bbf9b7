/* The room of measuring; the only one that reads a clock. Public: include/posengine/measure.h. */
#ifndef POS_MEASURE_ROOM_H
#define POS_MEASURE_ROOM_H
#include "posengine/measure.h"

void pos_clock_rest(int64_t rest_ns); /* sleeps so long, or until a signal comes */
#endif
