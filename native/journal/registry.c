/*
 * Which journal files this process has open, by device and inode. This is the one piece of state
 * that belongs to the process and not to a journal, because what it guards does:
 *
 *   - LMDB locks its readers' table with fcntl locks, and closing any descriptor of a file drops all
 *     of the process's locks on it: a second environment on one file loses data (measured).
 *   - After a fork the child shares the parent's map and locks and owns neither: its journals are
 *     those of an older generation, and every call refuses them.
 */
#include "journal/parts.h"

#include <assert.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pos_registered *first;
static _Atomic unsigned generation;

static void before_fork(void)
{
    (void)pthread_mutex_lock(&guard);
}

static void after_fork_in_parent(void)
{
    (void)pthread_mutex_unlock(&guard);
}

static void after_fork_in_child(void)
{
    /* What the parent has open is no business of ours: opening it anew here is a first open. */
    first = NULL;
    atomic_fetch_add(&generation, 1U);
    (void)pthread_mutex_unlock(&guard);
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

bool pos_registry_enter(pos_registered *file, dev_t device, ino_t inode)
{
    assert(file != NULL);
    (void)pthread_once(&once, watch_forks);
    (void)pthread_mutex_lock(&guard);
    bool is_new = true;
    for (const pos_registered *other = first; other != NULL; other = other->next) {
        assert(other != file);
        if (other->device == device && other->inode == inode) is_new = false;
    }
    if (is_new) {
        *file = (pos_registered){.device = device, .inode = inode, .next = first};
        first = file;
    }
    (void)pthread_mutex_unlock(&guard);
    return is_new;
}

void pos_registry_leave(pos_registered *file)
{
    assert(file != NULL);
    (void)pthread_mutex_lock(&guard);
    for (pos_registered **at = &first; *at != NULL; at = &(*at)->next) {
        if (*at == file) {
            *at = file->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&guard);
}

unsigned pos_registry_generation(void)
{
    return atomic_load(&generation);
}
