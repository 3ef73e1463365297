/* launch/doctor/slurm.c: whether srun can start ranks that meet. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "launch/doctor/watch.h"

enum { ANSWER_SECONDS = 10 };

static const char area[] = "Slurm";

/* Whether the list of srun's plugins ("MPI plugin types are...", one a line or in a row) has
 * pmix or pmix_v4 or the like as a word. */
static bool lists_pmix(const char *text)
{
    for (const char *at = text; (at = strstr(at, "pmix")) != NULL; at += 4) {
        bool begins =
            at == text || isspace((unsigned char)at[-1]) || at[-1] == ':' || at[-1] == ',';
        if (begins) {
            return true;
        }
    }
    return false;
}

static void look_at_plugins(FILE *out, bool in_job)
{
    static judo_watched result;
    const char *const command[] = {"srun", "--mpi=list", NULL};
    judo_status status = judo_watch_command(command, ANSWER_SECONDS, &result);
    if (status != JUDO_OK || result.expired) {
        judo_doctor_say(out, in_job ? JUDO_FINDING_BAD : JUDO_FINDING_WARN, area,
                        "try `srun --mpi=list` by hand; is the controller there?",
                        "srun does not answer within %d seconds", ANSWER_SECONDS);
    } else if (lists_pmix(result.text)) {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                        "srun has the pmix plugin: launch/slurm/judo.sbatch starts jobs with "
                        "it");
    } else if (!in_job && strstr(result.text, "plugin types") == NULL) {
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                        "srun is installed, but no cluster answers: start jobs with mpirun");
    } else {
        result.text[strcspn(result.text, "\n")] = '\0';
        judo_doctor_say(out, in_job ? JUDO_FINDING_BAD : JUDO_FINDING_WARN, area,
                        "install Slurm's pmix plugin, or start jobs with mpirun inside the "
                        "allocation",
                        "srun lists no pmix plugin (%.120s): its ranks would not meet",
                        result.text);
    }
}

void judo_doctor_slurm(FILE *out, const judo_doctor_request *request)
{
    const char *job = getenv("SLURM_JOB_ID");
    (void)request;
    if (!judo_doctor_has_command("srun")) {
        if (job != NULL) {
            judo_doctor_say(out, JUDO_FINDING_BAD, area, "put srun into PATH",
                            "this is job %.40s, but there is no srun in PATH", job);
        } else {
            judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                            "none here: start jobs with mpirun");
        }
        return;
    }
    if (job != NULL) {
        const char *tasks = getenv("SLURM_NTASKS_PER_NODE");
        judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "this is job %.40s%s%.20s%s", job,
                        tasks ? ", " : "", tasks ? tasks : "",
                        tasks ? " tasks on each node" : "");
    }
    look_at_plugins(out, job != NULL);
}
