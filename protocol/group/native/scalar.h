/* Scalars: integers modulo l = 2^252 + 27742317777372353535851937790883648493, 32 bytes, least significant
 * first.
 *
 * The same time and the same addresses for every value; only a verdict that some scalar is out of range ends
 * a batch.
 */
#ifndef BLINDMATCH_SCALAR_H
#define BLINDMATCH_SCALAR_H

#include <stddef.h>
#include <stdint.h>

/* Write 64 signed digits, digits[i * step] from -8 to 8, of the scalar, or of the scalar divided by 2 modulo
 * l: sum of digits 16^i. The scalar is below l. */
void scalar_digits(int8_t *digits, size_t step, const uint8_t *scalar, int halve);

enum scalar_fault { SCALARS_GOOD, SCALAR_NOT_BELOW_ORDER, SCALAR_IS_ZERO };

/* Judge a batch of rows of 32 bytes. A row not below l is reported before any zero. */
enum scalar_fault scalars_fault(const uint8_t *rows, size_t count, int zero_allowed);

/* Row by row; operands below l but for the 64 bytes of scalars_reduce. */
void scalars_reduce(uint8_t *result, const uint8_t *uniform, size_t count);
void scalars_multiply(uint8_t *result, const uint8_t *left, const uint8_t *right, size_t count);
void scalars_subtract(uint8_t *result, const uint8_t *left, const uint8_t *right, size_t count);
/* No row is zero. result is not rows. */
void scalars_invert(uint8_t *result, const uint8_t *rows, size_t count);

#endif
