// A call from another shard that could not be answered at once.
#pragma once

#include <boost/intrusive/list_hook.hpp>

namespace miniss::internal {

// Lives on the shard that was called, from the moment the callable has returned a future that is
// not ready until it is.
class open_call : public boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    // The shard stops and nothing goes on any more: answer with an error.
    virtual void abandon() noexcept = 0;

protected:
    ~open_call() = default;
};

}  // namespace miniss::internal
