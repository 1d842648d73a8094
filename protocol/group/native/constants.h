/* Constants of edwards25519 and ristretto255 (RFC 9496 4.1).
 * Written by tools/kernel_constants.py from their definitions; a test compares. Do not edit.
 */
#ifndef BLINDMATCH_CONSTANTS_H
#define BLINDMATCH_CONSTANTS_H

#include <stdint.h>

/* Field elements: five limbs of 51 bits, least significant first. */
/* 1 */
static const uint64_t FIELD_ONE[5] = {
    0x1u, 0x0u, 0x0u, 0x0u, 0x0u,
};
/* d = -121665/121666 */
static const uint64_t FIELD_D[5] = {
    0x34dca135978a3u, 0x1a8283b156ebdu, 0x5e7a26001c029u, 0x739c663a03cbbu, 0x52036cee2b6ffu,
};
/* 2 d */
static const uint64_t FIELD_2D[5] = {
    0x69b9426b2f159u, 0x35050762add7au, 0x3cf44c0038052u, 0x6738cc7407977u, 0x2406d9dc56dffu,
};
/* the non-negative square root of -1 */
static const uint64_t FIELD_SQRT_M1[5] = {
    0x61b274a0ea0b0u, 0xd5a5fc8f189du, 0x7ef5e9cbd0c60u, 0x78595a6804c9eu, 0x2b8324804fc1du,
};
/* the negative square root of a d - 1, a = -1 */
static const uint64_t FIELD_SQRT_AD_MINUS_ONE[5] = {
    0x7f6a0497b2e1bu, 0x1836f0a97afd2u, 0x7d747f6be7638u, 0x456079e7e6498u, 0x376931bf2b834u,
};
/* the non-negative 1/sqrt(a - d) */
static const uint64_t FIELD_INVSQRT_A_MINUS_D[5] = {
    0xfdaa805d40eau, 0x2eb482e57d339u, 0x7610274bc58u, 0x6510b613dc8ffu, 0x786c8905cfaffu,
};
/* 1 - d^2 */
static const uint64_t FIELD_ONE_MINUS_D_SQ[5] = {
    0x409c1945fc176u, 0x719abc6a1fc4fu, 0x1c37f90b20684u, 0x6bccca55eedfu, 0x29072a8b2b3eu,
};
/* (d - 1)^2 */
static const uint64_t FIELD_D_MINUS_ONE_SQ[5] = {
    0x55aaa44ed4d20u, 0x59603c3332635u, 0x26d3baf4a7928u, 0x120a66e6997a9u, 0x5968b37af66c2u,
};

/* Scalars: four words of 64 bits, least significant first. */
/* l, the order of the group */
static const uint64_t ORDER[4] = {
    0x5812631a5cf5d3edu, 0x14def9dea2f79cd6u, 0x0u, 0x1000000000000000u,
};
/* R = 2^256 modulo l */
static const uint64_t ORDER_R[4] = {
    0xd6ec31748d98951du, 0xc6ef5bf4737dcf70u, 0xfffffffffffffffeu, 0xfffffffffffffffu,
};
/* R^2 modulo l */
static const uint64_t ORDER_R2[4] = {
    0xa40611e3449c0f01u, 0xd00e1ba768859347u, 0xceec73d217f5be65u, 0x399411b7c309a3du,
};
/* l - 2, the exponent that inverts */
static const uint64_t ORDER_MINUS_2[4] = {
    0x5812631a5cf5d3ebu, 0x14def9dea2f79cd6u, 0x0u, 0x1000000000000000u,
};
/* -1/l modulo 2^64, for Montgomery's reduction */
#define ORDER_NEGATED_INVERSE 0xd2b51da312547e1bu

#endif
