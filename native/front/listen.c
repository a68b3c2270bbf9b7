/*
 * Addresses: "host:port" and "[v6]:port", several by commas. Numeric only: a name server is not to
 * be asked at start. Port 0 takes any free one, which pos_front_port then tells.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/front.h"
#include "measure/measure.h"

#define BACKLOG 1024
#define ADDRESS_SIZE_MAX 80

int watch(const pos_front *front, int fd, uint32_t events, front_tag tag, uint32_t index)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)tag << 32 | index};
    return epoll_ctl(front->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Splits "host:port" at its last colon, brackets taken off; false where it has no port. */
static bool split(char *text, char **host_out, char **port_out)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') return false;
    *colon = '\0';
    *port_out = colon + 1;
    *host_out = text;
    if (text[0] == '[') {
        char *bracket = strchr(text, ']');
        if (bracket == NULL || bracket[1] != '\0') return false;
        *bracket = '\0';
        *host_out = text + 1;
    }
    return true;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) return 0;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
}

static int open_listener(const struct addrinfo *address)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    const int yes = 1;
    bool is_fine = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0;
    if (address->ai_family == AF_INET6) {
        is_fine = is_fine && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0;
    }
    is_fine = is_fine && bind(fd, address->ai_addr, address->ai_addrlen) == 0;
    is_fine = is_fine && listen(fd, BACKLOG) == 0;
    if (is_fine) return fd;
    close(fd);
    return -1;
}

static pos_status listen_one(pos_front *front, char *text)
{
    char *host = NULL;
    char *port = NULL;
    if (front->listener_count == LISTENERS_MAX || !split(text, &host, &port)) return POS_ADDRESS;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *address = NULL;
    if (getaddrinfo(host, port, &hints, &address) != 0) return POS_ADDRESS;
    const int fd = open_listener(address);
    freeaddrinfo(address);
    if (fd < 0) return POS_ADDRESS;
    const size_t index = front->listener_count++;
    front->listeners[index] = fd;
    front->ports[index] = port_of(fd);
    if (watch(front, fd, EPOLLIN, TAG_LISTENER, (uint32_t)index) != 0) return POS_SYSTEM;
    pos_engine_log(front->engine, "info", "listening", "host=%s port=%u cpu=%s", host,
                   front->ports[index], pos_cpu_path_name(pos_cpu_path_now()));
    return POS_OK;
}

pos_status listen_all(pos_front *front)
{
    assert(front->options.listen != NULL);
    const char *from = front->options.listen;
    while (*from != '\0') {
        char text[ADDRESS_SIZE_MAX];
        const size_t size = strcspn(from, ",");
        if (size == 0 || size >= sizeof text) return POS_ADDRESS;
        pos_copy(text, from, size);
        text[size] = '\0';
        const pos_status status = listen_one(front, text);
        if (status != POS_OK) return status;
        from += size;
        if (*from == ',') from++;
    }
    return front->listener_count > 0 ? POS_OK : POS_ADDRESS;
}

/* The operator's socket: a file that only its owner may write to; peers prove who they are. */
pos_status listen_control(pos_front *front)
{
    if (front->options.control == NULL) return POS_OK;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t size = strlen(front->options.control);
    if (size == 0 || size >= sizeof address.sun_path) return POS_ADDRESS;
    pos_copy(address.sun_path, front->options.control, size + 1);
    /* A socket file that a killed engine left is taken away, but nothing that is not a socket. */
    struct stat facts;
    if (lstat(address.sun_path, &facts) == 0) {
        if (!S_ISSOCK(facts.st_mode) || unlink(address.sun_path) != 0) return POS_ADDRESS;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return POS_SYSTEM;
    front->control_listener = fd;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return POS_ADDRESS;
    pos_copy(front->control_path, address.sun_path, size + 1);
    if (chmod(front->control_path, 0600) != 0 || listen(fd, (int)CONTROLS_MAX) != 0) {
        return POS_SYSTEM;
    }
    return watch(front, fd, EPOLLIN, TAG_CONTROL_LISTENER, 0) == 0 ? POS_OK : POS_SYSTEM;
}
