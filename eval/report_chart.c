/* eval/report_chart.c: scales, ticks and paths. */
#include "eval/report_chart.h"

#include <math.h>
#include <stdbool.h>

#include "eval/html.h"

enum { WIDTH = 360, HEIGHT = 190, LEFT = 46, RIGHT = 10, TOP = 8, BOTTOM = 22, BUCKETS = 240 };

typedef struct scale {
    double x_low, x_high, y_low, y_high;
} scale;

/* 1, 2 or 5 times a power of ten: about `count` steps over `span`. */
static double nice_step(double span, int count)
{
    double raw = span / count;
    double power = pow(10, floor(log10(raw)));
    double lead = raw / power;
    return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static scale scale_of(const judo_chart_line *lines, int num_lines)
{
    scale s = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int l = 0; l < num_lines; l++) {
        const judo_series *series = lines[l].series;
        for (int64_t i = 0; i < series->length; i++) {
            if (isfinite(series->values[i])) {
                s.x_low = fmin(s.x_low, series->steps[i]);
                s.x_high = fmax(s.x_high, series->steps[i]);
                s.y_low = fmin(s.y_low, series->values[i]);
                s.y_high = fmax(s.y_high, series->values[i]);
            }
        }
    }
    if (!(s.x_low <= s.x_high)) {
        return (scale){0, 1, 0, 1};
    }
    double room = fmax(s.y_high - s.y_low, fmax(fabs(s.y_high) * 1e-3, 1e-12)) * 0.06;
    bool from_zero = s.y_low >= 0 && s.y_low < 0.35 * s.y_high;
    s.y_low = from_zero ? 0 : s.y_low - room;
    s.y_high += room;
    s.x_high = s.x_high > s.x_low ? s.x_high : s.x_low + 1;
    return s;
}

static double x_at(const scale *s, double step)
{
    return LEFT + (step - s->x_low) / (s->x_high - s->x_low) * (WIDTH - LEFT - RIGHT);
}

static double y_at(const scale *s, double value)
{
    return HEIGHT - BOTTOM -
           (value - s->y_low) / (s->y_high - s->y_low) * (HEIGHT - TOP - BOTTOM);
}

/* Ticks are round numbers: as short as they can be. */
static void write_tick(FILE *out, double value)
{
    double size = fabs(value);
    if (size != 0 && size < 1e-3) {
        int exponent = (int)floor(log10(size) + 1e-9);
        fprintf(out, "%.3ge%d", value / pow(10, exponent), exponent);
    } else {
        judo_html_short(out, value);
    }
}

static void write_axes(FILE *out, const scale *s)
{
    double step = nice_step(s->y_high - s->y_low, 4);
    fputs("<g class=\"axis\">", out);
    double first = ceil(s->y_low / step) * step;
    for (int i = 0; first + i * step <= s->y_high; i++) {
        double tick = first + i * step;
        double value = fabs(tick) < step * 1e-6 ? 0 : tick;
        fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT,
                y_at(s, tick), y_at(s, tick));
        fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6,
                y_at(s, tick) + 3.5);
        write_tick(out, value);
        fputs("</text>", out);
    }
    step = fmax(1, nice_step(s->x_high - s->x_low, 4));
    first = ceil(s->x_low / step) * step;
    for (int i = 0; first + i * step <= s->x_high; i++) {
        double tick = first + i * step;
        bool at_edge = x_at(s, tick) > WIDTH - RIGHT - 14;
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">", x_at(s, tick), HEIGHT - 6,
                at_edge ? "end" : "middle");
        write_tick(out, tick);
        fputs("</text>", out);
    }
    fputs("</g>", out);
}

/* The line as measured, in at most BUCKETS averaged points. */
static void write_measured(FILE *out, const scale *s, const judo_series *series)
{
    int64_t stride = (series->length + BUCKETS - 1) / BUCKETS;
    bool pen_down = false;
    for (int64_t i = 0; i < series->length; i += stride) {
        double x = 0;
        double y = 0;
        int64_t end = i + stride < series->length ? i + stride : series->length;
        for (int64_t j = i; j < end; j++) {
            x += series->steps[j] / (double)(end - i);
            y += series->values[j] / (double)(end - i);
        }
        if (isfinite(y)) {
            fprintf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', x_at(s, x), y_at(s, y));
        }
        pen_down = isfinite(y);
    }
}

/* The mean over a window of about a twentieth of the run: the same to both sides, so that it
 * does not lag; towards the ends it narrows, but never below a quarter, where single values
 * rule. */
static void write_smoothed(FILE *out, const scale *s, const judo_series *series)
{
    int64_t stride = (series->length + BUCKETS - 1) / BUCKETS;
    bool pen_down = false;
    for (int64_t i = 0; i < series->length; i += stride) {
        int64_t room = i < series->length - 1 - i ? i : series->length - 1 - i;
        int64_t half = series->length / 40 < room ? series->length / 40 : room;
        half = half > series->length / 160 ? half : series->length / 160;
        double sum = 0;
        int64_t count = 0;
        for (int64_t j = i - half; j <= i + half; j++) {
            if (j >= 0 && j < series->length && isfinite(series->values[j])) {
                sum += series->values[j];
                count++;
            }
        }
        if (count > 0) {
            fprintf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', x_at(s, series->steps[i]),
                    y_at(s, sum / (double)count));
            pen_down = true;
        }
    }
}

static void write_line(FILE *out, const scale *s, const judo_series *series, int index)
{
    bool many = series->length >= 40;
    fprintf(out, "<path class=\"line c%d%s\" d=\"", index + 1, many ? " faint" : "");
    write_measured(out, s, series);
    fputs("\"/>", out);
    if (many) {
        fprintf(out, "<path class=\"line c%d\" d=\"", index + 1);
        write_smoothed(out, s, series);
        fputs("\"/>", out);
    }
    if (series->length == 1 && isfinite(series->values[0])) {
        fprintf(out, "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", index + 1,
                x_at(s, series->steps[0]), y_at(s, series->values[0]));
    }
}

static double last_of(const judo_series *series)
{
    for (int64_t i = series->length - 1; i >= 0; i--) {
        if (isfinite(series->values[i])) {
            return series->values[i];
        }
    }
    return NAN;
}

void judo_chart_write(FILE *out, const char *title, const judo_chart_line *lines, int num_lines)
{
    scale s = scale_of(lines, num_lines);
    fputs("<figure class=\"chart\"><figcaption><span>", out);
    judo_html_text(out, title);
    fputs("</span>", out);
    if (num_lines == 1) {
        fputs("<b>", out);
        judo_html_short(out, last_of(lines[0].series));
        fputs("</b>", out);
    }
    fprintf(out, "</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\"><title>", WIDTH, HEIGHT);
    judo_html_text(out, title);
    fputs("</title>", out);
    write_axes(out, &s);
    for (int l = 0; l < num_lines; l++) {
        write_line(out, &s, lines[l].series, l);
    }
    fputs("</svg>", out);
    if (num_lines > 1) {
        fputs("<ul class=\"legend\">", out);
        for (int l = 0; l < num_lines; l++) {
            fprintf(out, "<li class=\"c%d\">", l + 1);
            judo_html_text(out, lines[l].label);
            fputs(" <b>", out);
            judo_html_short(out, last_of(lines[l].series));
            fputs("</b></li>", out);
        }
        fputs("</ul>", out);
    }
    fputs("</figure>\n", out);
}
