// What a node and the device of a rank are, and what is sampled there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/record.h"

namespace sxb::record {

/// A GPU that the node owns.
struct NodeGpu {
  std::optional<int> index;
  std::string name;
  std::string uuid;
  std::string pci;
  std::optional<std::int64_t> memory_bytes;
  std::optional<double> power_limit_w;
  std::optional<std::int64_t> sm_clock_max_mhz;
  std::optional<std::int64_t> sm_clock_mhz;
  std::optional<bool> persistence;
  std::optional<bool> ecc;
  std::optional<bool> mig;
  std::optional<std::int64_t> nvlinks;
};

/// A network interface.
struct NodeNic {
  std::string name;
  std::optional<std::int64_t> speed_mbps;
  std::optional<std::int64_t> mtu;
  std::string state;
  std::optional<int> pcie_generation;
  std::optional<std::int64_t> pcie_lanes;
};

/// An RDMA adapter.
struct NodeRdma {
  std::string name;
  std::optional<double> rate_gbps;
  std::optional<int> pcie_generation;
  std::optional<std::int64_t> pcie_lanes;
};

/// Agent: host and GPU facts.
struct Node {
  static constexpr const char* kKind = kind::kNode;
  std::string hostname;
  std::string build_id;
  std::string os;
  std::string kernel;
  std::string cpu_model;
  std::optional<std::int64_t> cpus;
  std::optional<std::int64_t> memory_bytes;
  std::string driver;
  std::vector<NodeGpu> gpus;
  std::vector<NodeNic> nics;
  std::vector<NodeRdma> rdma;
  std::vector<std::vector<std::string>> topology;
};

/// Rank: device and library versions.
struct Device {
  static constexpr const char* kKind = kind::kDevice;
  std::string device;
  std::string name;
  std::optional<int> gpu;
  std::optional<std::int64_t> memory_bytes;
  std::optional<int> multiprocessors;
  std::string torch;
  std::string cuda;
  std::string nccl;
  std::string cudnn;
  std::string net;
  std::string backend;
  std::optional<int> threads;
  std::optional<std::int64_t> pid;
  std::string pci;
};

/// Local rank 0: measured interval (monotonic).
struct Window {
  static constexpr const char* kKind = kind::kWindow;
  std::string name;
  std::optional<std::int64_t> begin_ns;
  std::optional<std::int64_t> end_ns;
};

/// Agent: metrics; goes to samples/, not to records.jsonl.
struct Sample {
  static constexpr const char* kKind = kind::kSample;
  std::string source;
  std::optional<int> index;
  std::string name;
  std::string reason;
  std::optional<std::int64_t> util_pct;
  std::optional<std::int64_t> mem_used_bytes;
  std::optional<double> power_w;
  std::optional<double> power_instant_w;
  std::optional<std::int64_t> energy_mj;
  std::optional<std::int64_t> temp_c;
  std::optional<std::int64_t> sm_mhz;
  std::optional<std::int64_t> mem_mhz;
  std::optional<std::string> throttle;
  std::optional<std::int64_t> nvlink_tx_bytes;
  std::optional<std::int64_t> nvlink_rx_bytes;
  std::optional<double> sm_active_pct;
  std::optional<double> tensor_active_pct;
  std::optional<double> dram_active_pct;
  std::optional<std::int64_t> rx_bytes;
  std::optional<std::int64_t> tx_bytes;
  std::optional<std::int64_t> rx_packets;
  std::optional<std::int64_t> tx_packets;
  std::optional<std::int64_t> rx_errors;
  std::optional<std::int64_t> tx_errors;
  std::optional<std::int64_t> rx_dropped;
  std::optional<std::int64_t> tx_dropped;
  std::optional<double> cpu_pct;
};

}  // namespace sxb::record
