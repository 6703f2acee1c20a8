// Counts what CUDA's driver is asked for by one thread, whichever library asks: CUPTI calls back at
// every driver call.
#pragma once

#include <cupti.h>
#include <pthread.h>

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sxb::engine::train {

class CudaCalls {
 public:
  /// Counts the calls of this thread until the object goes.
  CudaCalls() : thread_(pthread_self()) {
    if (cuptiSubscribe(&subscriber_, &CudaCalls::called, this) != CUPTI_SUCCESS ||
        cuptiEnableDomain(1, subscriber_, CUPTI_CB_DOMAIN_DRIVER_API) != CUPTI_SUCCESS) {
      throw std::runtime_error("CUPTI gives no callbacks here");
    }
  }
  ~CudaCalls() { cuptiUnsubscribe(subscriber_); }
  CudaCalls(const CudaCalls&) = delete;
  CudaCalls& operator=(const CudaCalls&) = delete;

  /// Only what happens while this is true counts.
  void count(bool on) { counting_ = on; }

  /// Calls that return only when the device has got somewhere, by name.
  std::map<std::string, int> waits() const {
    return select([](std::string_view name) {
      return name.find("Synchronize") != name.npos ||
             (starts(name, "cuMemcpy") && name.find("Async") == name.npos);
    });
  }
  /// Calls that take or give back memory of the device, or pinned memory of the host.
  std::map<std::string, int> allocations() const {
    return select([](std::string_view name) {
      for (const char* prefix :
           {"cuMemAlloc", "cuMemFree", "cuMemCreate", "cuMemRelease", "cuMemMap", "cuMemUnmap",
            "cuMemHostAlloc", "cuMemHostRegister", "cuMemHostUnregister"}) {
        if (starts(name, prefix)) return true;
      }
      return false;
    });
  }
  int all() const {
    int sum = 0;
    for (const auto& [name, n] : calls_) sum += n;
    return sum;
  }

 private:
  static bool starts(std::string_view name, std::string_view prefix) {
    return name.substr(0, prefix.size()) == prefix;
  }

  template <typename Wanted>
  std::map<std::string, int> select(Wanted wanted) const {
    std::map<std::string, int> selected;
    for (const auto& [name, n] : calls_) {
      if (wanted(name)) selected[name] = n;
    }
    return selected;
  }

  static void CUPTIAPI called(void* user, CUpti_CallbackDomain, CUpti_CallbackId, const void* data) {
    auto& self = *static_cast<CudaCalls*>(user);
    const auto* call = static_cast<const CUpti_CallbackData*>(data);
    if (call->callbackSite != CUPTI_API_ENTER || pthread_equal(pthread_self(), self.thread_) == 0 ||
        !self.counting_)
      return;
    ++self.calls_[call->functionName];
  }

  pthread_t thread_;
  bool counting_ = false;
  std::map<std::string, int> calls_;
  CUpti_SubscriberHandle subscriber_ = nullptr;
};

}  // namespace sxb::engine::train
