/* tests/emulator/mma.cpp: see mma.h. Layouts: PTX ISA, "Matrix Fragments for mma.m16n8k16 with
 * floating point type" and "Warp-level matrix load instruction: ldmatrix". */
#include "tests/emulator/mma.h"

#include <string.h>

#include <vector>

#include "tests/emulator/block.h"

enum { LANES = EMULATOR_WARP };

namespace
{

struct load_operand {
    const void *row;
    uint32_t *r;
};

struct multiply_operand {
    float *c;
    const uint32_t *a;
    uint32_t b[2];
};

/* matrix[i][row][column] of what 32 lanes point to. */
void read_matrices(uint16_t matrix[4][8][8], void *const operands[LANES])
{
    for (int lane = 0; lane < LANES; lane++) {
        const load_operand *operand = (const load_operand *)operands[lane];
        emulator_check_shared(operand->row, 16, 16);
        memcpy(matrix[lane / 8][lane % 8], operand->row, 16);
    }
}

/* Lane l gets row l / 4, columns l % 4 * 2 and the next. */
void load(void *const operands[LANES])
{
    uint16_t matrix[4][8][8];
    read_matrices(matrix, operands);
    for (int lane = 0; lane < LANES; lane++) {
        for (int i = 0; i < 4; i++) {
            const uint16_t *pair = &matrix[i][lane / 4][lane % 4 * 2];
            ((const load_operand *)operands[lane])->r[i] = (uint32_t)pair[0] | (uint32_t)pair[1]
                                                                                   << 16;
        }
    }
}

/* .trans: lane l gets column l / 4, rows l % 4 * 2 and the next. */
void load_transposed(void *const operands[LANES])
{
    uint16_t matrix[4][8][8];
    read_matrices(matrix, operands);
    for (int lane = 0; lane < LANES; lane++) {
        for (int i = 0; i < 4; i++) {
            uint32_t low = matrix[i][lane % 4 * 2][lane / 4];
            uint32_t high = matrix[i][lane % 4 * 2 + 1][lane / 4];
            ((const load_operand *)operands[lane])->r[i] = low | high << 16;
        }
    }
}

/* Element `half` (0: low) of a pair of bf16 numbers. */
float element(uint32_t pair, int half)
{
    uint32_t bits = half ? pair & 0xffff0000u : pair << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* groupID is lane >> 2, threadID_in_group is lane % 4.
 *   a_i: row = groupID for 0 <= i < 2 || 4 <= i < 6, else groupID + 8
 *        col = threadID_in_group * 2 + (i & 1), + 8 for i >= 4
 *   b_i: row = threadID_in_group * 2 + (i & 1), + 8 for i >= 2;  col = groupID
 *   c_i: row = groupID for i < 2, else groupID + 8;  col = threadID_in_group * 2 + (i & 1) */
void multiply(void *const operands[LANES])
{
    float a[16][16], b[8][16]; /* b by columns */
    for (int lane = 0; lane < LANES; lane++) {
        const multiply_operand *operand = (const multiply_operand *)operands[lane];
        int group = lane >> 2;
        int thread = lane % 4;
        for (int i = 0; i < 8; i++) {
            int row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
            int column = thread * 2 + (i & 1) + (i >= 4 ? 8 : 0);
            a[row][column] = element(operand->a[i / 2], i & 1);
        }
        for (int i = 0; i < 4; i++) {
            b[group][thread * 2 + (i & 1) + (i >= 2 ? 8 : 0)] =
                element(operand->b[i / 2], i & 1);
        }
    }
    for (int lane = 0; lane < LANES; lane++) {
        const multiply_operand *operand = (const multiply_operand *)operands[lane];
        for (int i = 0; i < 4; i++) {
            int row = (lane >> 2) + (i < 2 ? 0 : 8);
            int column = lane % 4 * 2 + (i & 1);
            double sum = 0.0;
            for (int k = 0; k < 16; k++) {
                sum += (double)a[row][k] * (double)b[column][k];
            }
            operand->c[i] = (float)((double)operand->c[i] + sum);
        }
    }
}

} // namespace

void emulator_load_matrices(uint32_t r[4], const void *row, bool transposed)
{
    load_operand operand = {row, r};
    emulator_warp_meets(transposed ? load_transposed : load, ~0u, &operand);
}

void emulator_multiply_add(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    multiply_operand operand = {c, a, {b0, b1}};
    emulator_warp_meets(multiply, ~0u, &operand);
}

namespace
{

struct pending_copy {
    void *to;
    const void *from;
    unsigned group;
};

/* Of each thread of the block that runs; all have waited when it ends. */
std::vector<pending_copy> pending[EMULATOR_MOST_THREADS];
unsigned closed[EMULATOR_MOST_THREADS]; /* groups so far */

/* Does the copies of the groups before `group`. */
void arrive_before(unsigned group)
{
    std::vector<pending_copy> &copies = pending[emulator_place.thread.x];
    size_t count = 0;
    for (; count < copies.size() && copies[count].group < group; count++) {
        if (copies[count].from) {
            memcpy(copies[count].to, copies[count].from, 16);
        } else {
            memset(copies[count].to, 0, 16);
        }
    }
    copies.erase(copies.begin(), copies.begin() + (ptrdiff_t)count);
}

} // namespace

void emulator_start_copy(void *shared, const void *global)
{
    emulator_check_shared(shared, 16, 16);
    if ((uintptr_t)global % 16 != 0) {
        emulator_fail("cp.async from %p, which is not aligned to 16", global);
    }
    unsigned thread = emulator_place.thread.x;
    pending[thread].push_back({shared, global, closed[thread]});
}

void emulator_copies_arrive(void)
{
    arrive_before(closed[emulator_place.thread.x] + 1);
}

void emulator_close_copies(void)
{
    closed[emulator_place.thread.x]++;
}

void emulator_copies_arrive_but(unsigned open)
{
    unsigned all = closed[emulator_place.thread.x];
    arrive_before(all > open ? all - open : 0);
}
