#include "record/kinds/node.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<NodeGpu> R>
void rows(V& visit, R& r) {
  visit(r.index, {"index", "", Hint::kCount, "NVML index."});
  visit(r.name, {"name", "", Hint::kText, "Name as NVML gives it."});
  visit(r.uuid, {"uuid", "", Hint::kText, "UUID of the GPU."});
  visit(r.pci, {"pci", "", Hint::kText, "PCI address, dddd:bb:dd."});
  visit(r.memory_bytes, {"memory_bytes", "B", Hint::kBytes, "Device memory."});
  visit(r.power_limit_w, {"power_limit_w", "W", Hint::kWatt, "Enforced power limit."});
  visit(r.sm_clock_max_mhz, {"sm_clock_max_mhz", "MHz", Hint::kMegahertz, "Highest SM clock."});
  visit(r.sm_clock_mhz, {"sm_clock_mhz", "MHz", Hint::kMegahertz, "SM clock when it was asked."});
  visit(r.persistence, {"persistence", "", Hint::kFlag, "Persistence mode."});
  visit(r.ecc, {"ecc", "", Hint::kFlag, "ECC is on."});
  visit(r.mig, {"mig", "", Hint::kFlag, "MIG is on."});
  visit(r.nvlinks, {"nvlinks", "", Hint::kCount, "Active NVLinks."});
}

template <typename V, Of<NodeNic> R>
void rows(V& visit, R& r) {
  visit(r.name, {"name", "", Hint::kText, "Name of the interface."});
  visit(r.speed_mbps, {"speed_mbps", "Mbit/s", Hint::kCount, "Speed of the link."});
  visit(r.mtu, {"mtu", "B", Hint::kCount, "MTU."});
  visit(r.state, {"state", "", Hint::kText, "operstate: up, down ...", Absent::kLeftOut});
  visit(r.pcie_generation, {"pcie_generation", "", Hint::kCount, "PCIe generation that the slot runs at."});
  visit(r.pcie_lanes, {"pcie_lanes", "", Hint::kCount, "PCIe lanes that it runs at."});
}

template <typename V, Of<NodeRdma> R>
void rows(V& visit, R& r) {
  visit(r.name, {"name", "", Hint::kText, "Name of the adapter."});
  visit(r.rate_gbps, {"rate_gbps", "Gbit/s", Hint::kNumber, "Rate over all ports."});
  visit(r.pcie_generation, {"pcie_generation", "", Hint::kCount, "PCIe generation that the slot runs at."});
  visit(r.pcie_lanes, {"pcie_lanes", "", Hint::kCount, "PCIe lanes that it runs at."});
}

template <typename V, Of<Node> R>
void rows(V& visit, R& r) {
  visit(r.hostname, {"hostname", "", Hint::kText, "Host name as the kernel has it.", Absent::kLeftOut});
  visit(r.build_id, {"build_id", "", Hint::kText, "Build of the agent on this node."});
  visit(r.os, {"os", "", Hint::kText, "PRETTY_NAME of /etc/os-release.", Absent::kLeftOut});
  visit(r.kernel, {"kernel", "", Hint::kText, "Kernel release.", Absent::kLeftOut});
  visit(r.cpu_model, {"cpu_model", "", Hint::kText, "First model name of /proc/cpuinfo.", Absent::kLeftOut});
  visit(r.cpus, {"cpus", "", Hint::kCount, "Logical CPUs online."});
  visit(r.memory_bytes, {"memory_bytes", "B", Hint::kBytes, "MemTotal."});
  visit(r.driver, {"driver", "", Hint::kText, "NVIDIA driver version; empty without NVML."});
  visit(r.gpus, {"gpus", "", Hint::kText, "GPUs the node owns."});
  visit(r.nics, {"nics", "", Hint::kText, "Network interfaces."});
  visit(r.rdma, {"rdma", "", Hint::kText, "RDMA adapters."});
  visit(r.topology,
        {"topology", "", Hint::kText, "How each pair of GPUs is linked (matrix of NV18, PIX, SYS ...)."});
}

template <typename V, Of<Device> R>
void rows(V& visit, R& r) {
  visit(r.device, {"device", "", Hint::kText, "cuda or cpu."});
  visit(r.name, {"name", "", Hint::kText, "Device name as CUDA gives it, or the CPU model."});
  visit(r.gpu, {"gpu", "", Hint::kCount, "NVML index of the GPU; -1 on the CPU."});
  visit(r.memory_bytes, {"memory_bytes", "B", Hint::kBytes, "Device memory."});
  visit(r.multiprocessors, {"multiprocessors", "", Hint::kCount, "Streaming multiprocessors."});
  visit(r.torch, {"torch", "", Hint::kText, "libtorch version."});
  visit(r.cuda, {"cuda", "", Hint::kText, "CUDA runtime version.", Absent::kLeftOut});
  visit(r.nccl, {"nccl", "", Hint::kText, "Version of the NCCL library actually loaded.", Absent::kLeftOut});
  visit(r.cudnn, {"cudnn", "", Hint::kText, "cuDNN version.", Absent::kLeftOut});
  visit(r.net, {"net", "", Hint::kText,
                "What NCCL's connections to other nodes really use, by its own log: IB, Socket, or a "
                "plugin's name; missing where it has none.",
                Absent::kLeftOut});
  visit(r.backend, {"backend", "", Hint::kText, "nccl or gloo."});
  visit(r.threads, {"threads", "", Hint::kCount, "Intra-op threads of a CPU rank."});
  visit(r.pid, {"pid", "", Hint::kCount, "Process id of the rank."});
  visit(r.pci, {"pci", "", Hint::kText, "PCI address of the GPU, dddd:bb:dd.", Absent::kLeftOut});
}

template <typename V, Of<Window> R>
void rows(V& visit, R& r) {
  visit(r.name, {"name", "", Hint::kText,
                 "measured (training), sweep (collectives), burn, or the name of a GPU micro-benchmark."});
  visit(r.begin_ns, {"begin_ns", "ns", Hint::kNanoseconds, "Monotonic clock of the node."});
  visit(r.end_ns, {"end_ns", "ns", Hint::kNanoseconds, "Monotonic clock of the node."});
}

template <typename V, Of<Sample> R>
void rows(V& visit, R& r) {
  visit(r.source, {"source", "", Hint::kText,
                   "gpu, nic, rdma, host or missing; docs/metrics.md has the origin of each figure."});
  visit(r.index, {"index", "", Hint::kCount, "gpu: NVML index."});
  visit(r.name, {"name", "", Hint::kText,
                 "nic, rdma: interface or adapter/port. missing: what cannot be sampled.", Absent::kLeftOut});
  visit(r.reason, {"reason", "", Hint::kText, "missing: why.", Absent::kLeftOut});
  visit(r.util_pct, {"util_pct", "%", Hint::kPercent,
                     "gpu: time in which any kernel ran, mean over the driver's last 1/6 to 1 s."});
  visit(r.mem_used_bytes, {"mem_used_bytes", "B", Hint::kBytes,
                           "gpu: allocated device memory. host: MemTotal less MemAvailable."});
  visit(r.power_w, {"power_w", "W", Hint::kWatt, "gpu: mean over the last second."});
  visit(r.power_instant_w,
        {"power_instant_w", "W", Hint::kWatt, "gpu: the driver's newest reading, no mean over a second."});
  visit(r.energy_mj, {"energy_mj", "mJ", Hint::kNumber, "gpu: cumulative, about once a second."});
  visit(r.temp_c, {"temp_c", "C", Hint::kCelsius, "gpu: die temperature."});
  visit(r.sm_mhz, {"sm_mhz", "MHz", Hint::kMegahertz, "gpu: SM clock."});
  visit(r.mem_mhz, {"mem_mhz", "MHz", Hint::kMegahertz, "gpu: memory clock."});
  visit(r.throttle,
        {"throttle", "", Hint::kText, "gpu: what holds the clocks down, joined by |; empty = nothing."});
  visit(r.nvlink_tx_bytes, {"nvlink_tx_bytes", "B", Hint::kBytes,
                            "gpu: payload sent over all links, cumulative, about once a second."});
  visit(r.nvlink_rx_bytes, {"nvlink_rx_bytes", "B", Hint::kBytes,
                            "gpu: payload received over all links, cumulative, about once a second."});
  visit(r.sm_active_pct, {"sm_active_pct", "%", Hint::kPercent,
                          "gpu: busy SMs (GPM), mean since the last sample that has it."});
  visit(r.tensor_active_pct,
        {"tensor_active_pct", "%", Hint::kPercent, "gpu: tensor cores at work (GPM), likewise."});
  visit(r.dram_active_pct,
        {"dram_active_pct", "%", Hint::kPercent, "gpu: share of the peak memory bandwidth (GPM), likewise."});
  visit(r.rx_bytes, {"rx_bytes", "B", Hint::kBytes, "nic, rdma: received, cumulative."});
  visit(r.tx_bytes, {"tx_bytes", "B", Hint::kBytes, "nic, rdma: sent, cumulative."});
  visit(r.rx_packets, {"rx_packets", "", Hint::kCount, "nic: received, cumulative."});
  visit(r.tx_packets, {"tx_packets", "", Hint::kCount, "nic: sent, cumulative."});
  visit(r.rx_errors, {"rx_errors", "", Hint::kCount, "nic: cumulative."});
  visit(r.tx_errors, {"tx_errors", "", Hint::kCount, "nic: cumulative."});
  visit(r.rx_dropped, {"rx_dropped", "", Hint::kCount, "nic: cumulative."});
  visit(r.tx_dropped, {"tx_dropped", "", Hint::kCount, "nic: cumulative."});
  visit(r.cpu_pct,
        {"cpu_pct", "%", Hint::kPercent, "host: busy share of all CPUs since the previous sample."});
}

SXB_RECORD_KIND(Node)
SXB_RECORD_KIND(Device)
SXB_RECORD_KIND(Window)
SXB_RECORD_KIND(Sample)

}  // namespace sxb::record
