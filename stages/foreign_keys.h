/* stages/foreign_keys.h: keys of DeepSpeed, TRL and Transformers that mean something that judo
 * says otherwise. Those that mean the same are aliases in the tables of fields. */
#ifndef JUDO_STAGES_FOREIGN_KEYS_H
#define JUDO_STAGES_FOREIGN_KEYS_H

#include "runtime/config.h"

/* Ends with an entry whose key is NULL. */
extern const judo_config_hint judo_foreign_keys[];

#endif
