/* Checks for C tests: a failed one says what and where, and the program exits with 1. */
#ifndef POS_TESTS_CHECK_H
#define POS_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(claim)                                                                     \
    do {                                                                                 \
        if (!(claim)) {                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);          \
            exit(1);                                                                     \
        }                                                                                \
    } while (0)

#endif
