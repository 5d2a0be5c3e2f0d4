/* Linked with --wrap=pthread_create: threads linger for 3 s after their work, as they may where others
 * go before them. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    void *(*work)(void *);
    void *argument;
} task;

static void *linger(void *given)
{
    task whole = *(task *)given;
    free(given);
    void *result = whole.work(whole.argument);
    sleep(3);
    return result;
}

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*work)(void *),
                          void *argument)
{
    task *whole = malloc(sizeof *whole);
    *whole = (task){work, argument};
    return __real_pthread_create(thread, how, linger, whole);
}
