/* DES by bit slices in plain C: 128 messages, a vector of 16 bytes a bit, which every compiler has a
 * way for: SSE2, NEON, or pairs of 64-bit words. des_slices_pass.h has the pass. */
#define SLICES 128
#include "mac/des_slices_wide.h"

_Static_assert(SLICES == POS_DES_SLICES_PORTABLE, "what the wave gives a pass");

void pos_des_slices_portable(pos_des_form form, const pos_des_words *words,
                             const pos_des_lane *lanes, size_t count, uint64_t *macs_out)
{
    assert(form < POS_DES_FORM_COUNT);
    assert(count > 0 && count <= SLICES);
    pass(form, words, lanes, count, macs_out);
}
