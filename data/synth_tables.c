/* data/synth_tables.c: the words of synth: objects, defects and what the shop floor knows. */
#include "data/synth_scene.h"

#include "runtime/random.h"

#define KINDS(a, b, c)                                                                         \
    {                                                                                          \
        JUDO_SYNTH_##a, JUDO_SYNTH_##b, JUDO_SYNTH_##c                                         \
    }

const judo_synth_object_words judo_synth_object_table[JUDO_SYNTH_OBJECTS] = {
    /* object               dataset    name      surface              defects colour, material,
       use, structure */
    [JUDO_SYNTH_WASHER] = {"Synth-A",
                           "washer",
                           "smooth steel face",
                           KINDS(SCRATCH, CRACK, RUST),
                           {"silver", "steel", "spreads the load", "a ring with one hole"}},
    [JUDO_SYNTH_GEAR] = {"Synth-A",
                         "gear",
                         "even ring of teeth",
                         KINDS(MISSING, CRACK, RUST),
                         {"bronze", "brass", "turns a shaft", "a disc with twelve teeth"}},
    [JUDO_SYNTH_TILE] = {"Synth-A",
                         "tile",
                         "plain glazed face",
                         KINDS(HOLE, STAIN, SCRATCH),
                         {"beige", "ceramic", "covers a wall", "a flat square"}},
    [JUDO_SYNTH_SCREW] = {"Synth-A",
                          "screw",
                          "straight clean thread",
                          KINDS(BENT, RUST, SCRATCH),
                          {"grey", "zinc", "holds parts together", "a head and a shaft"}},
    [JUDO_SYNTH_PCB] = {"Synth-B",
                        "pcb",
                        "board with six chips",
                        KINDS(MISSING, BURN, SOLDER),
                        {"green", "resin", "carries signals", "a board with six chips"}},
    [JUDO_SYNTH_FABRIC] = {"Synth-B",
                           "fabric",
                           "regular blue weave",
                           KINDS(HOLE, STAIN, TEAR),
                           {"blue", "cotton", "makes shirts", "a weave of threads"}},
    [JUDO_SYNTH_PILL] = {"Synth-B",
                         "pill",
                         "clean coated shell",
                         KINDS(CRACK, SPOT, CHIP),
                         {"white", "gelatin", "carries a drug", "two joined halves"}},
    [JUDO_SYNTH_CAP] = {"Synth-B",
                        "cap",
                        "round even crown",
                        KINDS(DENT, SCRATCH, SPOT),
                        {"yellow", "tin", "closes a bottle", "a disc with a wavy edge"}},
};

const judo_synth_kind_words judo_synth_kind_table[JUDO_SYNTH_KINDS] = {
    [JUDO_SYNTH_GOOD] = {"no defect", "good", "clean surface"},
    [JUDO_SYNTH_SCRATCH] = {"scratch", "scratch", "thin bright line"},
    [JUDO_SYNTH_CRACK] = {"crack", "crack", "jagged dark line"},
    [JUDO_SYNTH_RUST] = {"rust", "rust", "rough orange patch"},
    [JUDO_SYNTH_MISSING] = {"missing part", "missing_part", "gap without a part"},
    [JUDO_SYNTH_HOLE] = {"hole", "hole", "round dark opening"},
    [JUDO_SYNTH_STAIN] = {"stain", "stain", "brown cloudy patch"},
    [JUDO_SYNTH_BENT] = {"bent tip", "bent_tip", "tip leaning aside"},
    [JUDO_SYNTH_BURN] = {"burn", "burn", "black soft patch"},
    [JUDO_SYNTH_SOLDER] = {"solder bridge", "solder_bridge", "shiny metal bridge"},
    [JUDO_SYNTH_TEAR] = {"tear", "tear", "white open slit"},
    [JUDO_SYNTH_SPOT] = {"colour spot", "colour_spot", "strong purple dot"},
    [JUDO_SYNTH_CHIP] = {"chipped edge", "chipped_edge", "bite out of the edge"},
    [JUDO_SYNTH_DENT] = {"dent", "dent", "shaded round dip"},
};

enum { PHRASES = 10, WORLD = 2026 };

static const char *const phrases[JUDO_SYNTH_FACTS][PHRASES] = {
    [JUDO_SYNTH_CAUSE] = {"a rough conveyor", "a worn tool", "a wet store room", "a hot press",
                          "a loose clamp", "a dirty nozzle", "a fast feeder", "a hard drop",
                          "an old mould", "a cold start"},
    [JUDO_SYNTH_EFFECT] = {"it breaks under load", "it lets water in", "it wears out early",
                           "it makes noise", "it fails the seal test", "it runs hot",
                           "it loses its grip", "it looks poor", "it blocks the line",
                           "it cuts the hand"},
    [JUDO_SYNTH_ACTION] = {"scrap it", "polish it", "wash it", "send it back",
                           "rework it by hand", "sell it as second grade", "test it again",
                           "dry it in the oven", "mark it and keep it", "stop the line"},
    [JUDO_SYNTH_TOOL] = {"side light", "a microscope", "a gauge", "a magnet", "back light",
                         "a scale", "a heat camera", "a laser", "a finger test", "a dye"},
    [JUDO_SYNTH_LIMIT] = {"one mm", "two mm", "three mm", "four mm", "five mm", "six mm",
                          "seven mm", "eight mm", "nine mm", "zero mm"},
};

const char *const *judo_synth_fact_phrases(judo_synth_fact fact, int *count)
{
    *count = PHRASES;
    return phrases[fact];
}

/* Facts follow no rule that a model could guess: they must be learned from the knowledge. */
const char *judo_synth_fact_of(int object, judo_synth_kind kind, judo_synth_fact fact)
{
    return phrases[fact][judo_random_below(WORLD, JUDO_STREAM_SYNTH, (uint64_t)object,
                                           (uint32_t)kind, (uint32_t)fact, PHRASES)];
}

static const char *const zone_names[9] = {"upper left",  "upper middle", "upper right",
                                          "middle left", "center",       "middle right",
                                          "lower left",  "lower middle", "lower right"};

const char *judo_synth_zone_name(int zone)
{
    return zone_names[zone];
}

int judo_synth_zone(const judo_cells *cells)
{
    int rows = 0, columns = 0, count = 0;
    for (int row = 0; row < JUDO_GRID; row++) {
        for (int column = 0; column < JUDO_GRID; column++) {
            if (judo_cells_has(cells, row, column)) {
                rows += 2 * row + 1;
                columns += 2 * column + 1;
                count++;
            }
        }
    }
    if (count == 0) {
        return 4;
    }
    /* The centre of gravity in thirds: sums are over doubled coordinates, 0 .. 32. */
    int row = rows * 3 / (count * 2 * JUDO_GRID);
    int column = columns * 3 / (count * 2 * JUDO_GRID);
    return row * 3 + column;
}
