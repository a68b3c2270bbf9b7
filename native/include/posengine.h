/*
 * posengine: the public face of the core. One header a subject; this one brings them all.
 *
 *   status    what can go wrong, and whose fault it is
 *   codec     frames and messages: cut, parse, build, by a dialect's spec image
 *   mac       MACs, keys, and the enciphered forms in which keys are kept
 *   journal   read, verify and write pages of entries
 *   arrow     the journal as Arrow batches, for DuckDB, polars, pyarrow
 *   decide    why an entry was decided so, and rehearsals of the rules without wire or disk
 *   engine    submit frames, commit, take replies
 *   front     serve an engine on sockets
 *   measure   counters and latency histograms
 *
 * Every function returns a pos_status unless it cannot fail; a failed call leaves its out
 * parameters untouched. Nothing here is a global: handles may be used from one thread at a time,
 * different handles from different threads.
 */
#ifndef POSENGINE_H
#define POSENGINE_H

#include "posengine/status.h"
#include "posengine/codec.h"
#include "posengine/mac.h"
#include "posengine/journal.h"
#include "posengine/arrow.h"
#include "posengine/decide.h"
#include "posengine/engine.h"
#include "posengine/front.h"
#include "posengine/measure.h"

#endif
