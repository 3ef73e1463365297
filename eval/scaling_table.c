/* eval/scaling_table.c: the points as text. */
#include <math.h>

#include "eval/scaling.h"

static void put(FILE *out, int width, const char *format, double value)
{
    char text[32] = "-";
    if (!isnan(value)) {
        (void)snprintf(text, sizeof text, format, value);
    }
    (void)fprintf(out, "  %*s", width, text);
}

static void print_point(FILE *out, const judo_scaling_point *p)
{
    (void)fprintf(out, "%5lld  %5lld  %7lld  %5lld  %4d", (long long)p->ranks,
                  (long long)p->nodes, (long long)p->threads, (long long)p->batch, p->num_runs);
    put(out, 9, "%.4g", p->step_seconds);
    put(out, 9, "%.4g", p->samples_per_second);
    put(out, 9, "%.5g", p->tokens_per_second);
    put(out, 9, "%.5g", p->tokens_per_second / (double)p->ranks);
    put(out, 8, "%.2f", p->speed_up);
    put(out, 10, "%.1f", 100 * p->efficiency);
    put(out, 6, "%.1f", 100 * p->unhidden);
    (void)fprintf(out, "  %s\n", !p->agrees ? "DIFFER" : isnan(p->difference) ? "-" : "agree");
}

void judo_scaling_print(FILE *out, const judo_scaling *scaling)
{
    (void)fprintf(out, "%s on %s, %s scaling, steps %lld to %lld of each run\n\n",
                  scaling->stage, scaling->device, scaling->is_weak ? "weak" : "strong",
                  (long long)scaling->drop, (long long)scaling->num_steps - 1);
    (void)fprintf(out, "%5s  %5s  %7s  %5s  %4s  %9s  %9s  %9s  %9s  %8s  %10s  %6s  %s\n",
                  "ranks", "nodes", "threads", "batch", "runs", "step s", "samples/s",
                  "tokens/s", "per rank", "speed-up", "efficiency", "comm", "losses");
    (void)fprintf(out, "%5s  %5s  %7s  %5s  %4s  %9s  %9s  %9s  %9s  %8s  %10s  %6s\n", "", "",
                  "a rank", "", "", "median", "", "", "tokens/s", "", "%", "%");
    for (int i = 0; i < scaling->num_points; i++) {
        print_point(out, &scaling->points[i]);
    }
    (void)fprintf(out,
                  "\nefficiency: tokens/s per rank over that of the first line; comm: share of "
                  "the time that a rank\nstood still for communication%s.\n%s\n%s",
                  scaling->for_grpo ? "; tokens: those drawn; samples: prompts" : "",
                  scaling->verdict, scaling->notes);
}
