// Opens the fake NVML library freshly reset, for tests that pass its path in Roots::nvml_library.
#pragma once

#include <dlfcn.h>

#include <new>
#include <stdexcept>
#include <string>

#include "fake_nvml.h"
#include "metrics/sampler.h"

namespace sxb::metrics::fake {

class Library {
 public:
  Library() : handle_(dlopen(SXB_FAKE_NVML, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
    const auto get = reinterpret_cast<Script* (*)()>(dlsym(handle_, "fake_nvml_script"));
    if (get == nullptr) throw std::runtime_error("no fake_nvml_script in the fake library");
    script_ = get();
    script_->~Script();
    new (script_) Script();
  }
  ~Library() { dlclose(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  Script* operator->() { return script_; }

 private:
  void* handle_;
  Script* script_ = nullptr;
};

/// The fake tree tests/fixtures/<name> with the fake NVML.
inline Roots roots_of(const std::string& name) {
  const std::string base = std::string(SXB_TEST_DATA) + "/" + name;
  return Roots{base + "/proc", base + "/sys", base + "/etc", SXB_FAKE_NVML};
}

}  // namespace sxb::metrics::fake
