/* The room of what can go wrong. Its types are public: see include/posengine/status.h. */
#ifndef POS_STATUS_ROOM_H
#define POS_STATUS_ROOM_H
#include "posengine/status.h"
#endif
