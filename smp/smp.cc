#include <miniss/smp/smp.hh>

#include <miniss/core/assert.hh>
#include <miniss/smp/mailbox.hh>

namespace miniss {

namespace {

mailbox& local_mailbox() noexcept {
    MINISS_ASSERT(this_shard->mail != nullptr);  // Otherwise: no such shard.
    return *this_shard->mail;
}

}  // namespace

unsigned this_smp_shard_count() noexcept {
    return this_shard->mail == nullptr ? 1 : this_shard->mail->shard_count();
}

void* internal::allocate_call(std::size_t bytes) {
    return local_mailbox().memory().allocate(bytes);
}

void internal::free_call(void* call, std::size_t bytes) noexcept {
    local_mailbox().memory().free(call, bytes);
}

void internal::send_request(unsigned to, task& call) noexcept {
    local_mailbox().send_request(to, call);
}

void internal::send_answer(unsigned to, task& call) noexcept {
    local_mailbox().send_answer(to, call);
}

void internal::add_open_call(open_call& call) noexcept { local_mailbox().add_open_call(call); }

future<> internal::wait_for_room(unsigned to) noexcept { return local_mailbox().wait_for_room(to); }

semaphore* internal::find_credits(const smp_submit_to_options& options, unsigned to) noexcept {
    return local_mailbox().groups().find_credits(options.service_group, to);
}

std::exception_ptr internal::make_shard_stopped() noexcept {
    return std::make_exception_ptr(shard_stopped());
}

}  // namespace miniss
