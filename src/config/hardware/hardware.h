// Physical facts of GPU types and of the paths between them (configs/hardware/*.json): what no measurement
// may exceed, and what a healthy system reaches. Every figure in those files names its source.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace sxb::config {

/// Peaks of one GPU; 0 = unknown, but for nvlink_gBps, where the file may state that there is none.
struct GpuHardware {
  std::string name;  ///< as NVML prints it
  double fp64_tflops = 0, fp32_tflops = 0;
  double tf32_dense_tflops = 0, fp16_dense_tflops = 0, bf16_dense_tflops = 0, fp8_dense_tflops = 0;
  double memory_gib = 0;
  double memory_bandwidth_gBps = 0;
  double nvlink_gBps = 0;  ///< per direction, all links
  double pcie_generation = 0, pcie_lanes = 0;
  double power_limit_w = 0;
  double nvlink_reduction = 0;                 ///< 1: the NVSwitch reduces (NCCL: NVLS)
  std::map<std::string, std::string> sources;  ///< figure -> where it comes from
  /// Dense peak of "bf16", "fp16", "tf32", "fp32", "fp64" or "fp8"; 0 = unknown.
  double peak_tflops(const std::string& precision) const;
};

/// The entry whose name equals `name`; nullopt if no table knows the GPU (then no MFU is given, rather than
/// one against a guessed peak). user_config_dir()/hardware/gpus.json wins over the shipped table.
Result<std::optional<GpuHardware>> find_gpu(const std::string& name);
Result<std::vector<GpuHardware>> parse_gpus(const Json& json, const std::string& where);

/// How much of a path's figure one collective reaches, and where it is good.
struct CollectiveShare {
  std::string name;
  double share = 0;
  std::optional<double> pass, warn;  ///< instead of the Thresholds' own
  std::string source;
};

/// GPUs of one host, over NVLink.
struct NodePath {
  double ring_share = 0;       ///< NCCL's rings, of NVLink
  double reduction_share = 0;  ///< NVLS: algbw of all_reduce, of NVLink
  double ramp_us = 0;          ///< of sqrt(1 MiB); analysis/fit.h
  double base_us = 0, ring_hop_us = 0, tree_hop_us = 0;
  std::vector<CollectiveShare> collectives;
};

/// Hosts, over the NICs of a fabric.
struct NetworkPath {
  std::vector<std::string> fabrics;  ///< values of network.fabric
  double payload_share = 0;          ///< of the line rate
  double ramp_us = 0;
  double ring_hop_us = 0, tree_hop_us = 0;
  std::vector<CollectiveShare> collectives;
};

/// Where a verdict changes; shares are of the expected value.
struct Thresholds {
  double judged_from_bytes = 0;  ///< below it a size is held against the sweep's own fit
  double pass = 0, warn = 0, small_pass = 0, small_warn = 0;
  double cv_pct = 0, small_cv_pct = 0, rank_spread_pct = 0;
  double nic_lag_share = 0;  ///< of the median NIC: below it one is named
};

struct Interconnects {
  NodePath node;
  std::vector<NetworkPath> networks;
  std::map<int, double> pcie_lane_gBps;  ///< by generation, per direction, after encoding
  double pcie_copy_share = 0;            ///< what copies reach of it
  Thresholds thresholds;
  std::map<std::string, std::string> sources;  ///< figure ("/node/ring_share") -> "published: ..."

  const NetworkPath* network(const std::string& fabric) const;  ///< nullptr: not known
  /// GB/s per direction; 0 = unknown.
  double pcie_gBps(double generation, double lanes) const;
};
const CollectiveShare* find_share(const std::vector<CollectiveShare>& shares, const std::string& name);

/// user_config_dir()/hardware/interconnects.json, or the shipped file.
Result<Interconnects> load_interconnects();
Result<Interconnects> parse_interconnects(const Json& json, const std::string& where);

}  // namespace sxb::config
