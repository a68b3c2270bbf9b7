/* DES by bit slices with AVX2: 256 messages, a vector a bit. des_slices_pass.h has the pass. */
#if defined(__x86_64__)
#define SLICES 256
#include "mac/des_slices_wide.h"

_Static_assert(SLICES == POS_DES_SLICES_AVX2, "what the wave gives a pass");

void pos_des_slices_avx2(pos_des_form form, const pos_des_words *words, const pos_des_lane *lanes,
                         size_t count, uint64_t *macs_out)
{
    assert(form < POS_DES_FORM_COUNT);
    assert(count > 0 && count <= SLICES);
    pass(form, words, lanes, count, macs_out);
}
#else
typedef int pos_des_slices_avx2_is_for_x86;
#endif
