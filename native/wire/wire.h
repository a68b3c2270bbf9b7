/* The room of frames: the bytes of a line, cut into messages. Public: posengine/codec.h. */
#ifndef POS_WIRE_ROOM_H
#define POS_WIRE_ROOM_H

#include "bytes/bytes.h"
#include "posengine/codec.h"

#endif
