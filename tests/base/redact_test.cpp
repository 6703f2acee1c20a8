#include "base/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sxb {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Secret, IsKnownByItsName) {
  for (const char* name : {"HF_TOKEN",          "token",          "GitHubToken",
                           "CI_JOB_TOKEN_2",    "API_TOKENS",     "AWS_SECRET_ACCESS_KEY",
                           "AWS_ACCESS_KEY_ID", "MySecret",       "PGPASSWORD",
                           "SMB_PASSWD",        "SSH_PASSPHRASE", "GOOGLE_APPLICATION_CREDENTIALS",
                           "CREDENTIAL",        "openaiApiKey",   "S3_ACCESSKEY",
                           "PRIVATEKEY",        "WANDB_API_KEY",  "KEY",
                           "KEY_OF_ALL",        "signing_keys",   "AUTH",
                           "HTTP_AUTH",         "AUTH_HEADER",    "SMTP_PASS",
                           "MYSQL_PWD",         "NCCL_SECRET",    "NCCL_NET_TOKEN"}) {
    EXPECT_TRUE(is_secret(name, "x")) << name;
  }
}

TEST(Secret, IsNotEveryWordWithTheseLetters) {
  for (const char* name :
       {"", "PATH", "PWD", "OLDPWD", "TOKENIZERS_PARALLELISM", "MONKEY", "KEYBOARD", "HOTKEYS", "AUTHOR",
        "XAUTHORITY", "BYPASS_CACHE", "COMPASS", "UCX_IB_PKEY", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"}) {
    EXPECT_FALSE(is_secret(name, "x")) << name;
  }
  EXPECT_TRUE(is_secret("TOKENIZER_TOKEN", "x"));
}

TEST(Secret, IsNoneOfNcclsOwnVariables) {
  for (const char* name : {"NCCL_ALGO",
                           "NCCL_BUFFSIZE",
                           "NCCL_CHECKS_DISABLE",
                           "NCCL_CHECK_POINTERS",
                           "NCCL_COLLNET_ENABLE",
                           "NCCL_COLLNET_NODE_THRESHOLD",
                           "NCCL_COMM_BLOCKING",
                           "NCCL_COMM_ID",
                           "NCCL_CONF_FILE",
                           "NCCL_CROSS_NIC",
                           "NCCL_CTA_POLICY",
                           "NCCL_CUMEM_ENABLE",
                           "NCCL_CUMEM_HOST_ENABLE",
                           "NCCL_DEBUG",
                           "NCCL_DEBUG_FILE",
                           "NCCL_DEBUG_SUBSYS",
                           "NCCL_DMABUF_ENABLE",
                           "NCCL_GDRCOPY_ENABLE",
                           "NCCL_GRAPH_MIXING_SUPPORT",
                           "NCCL_GRAPH_REGISTER",
                           "NCCL_HOSTID",
                           "NCCL_IB_ADAPTIVE_ROUTING",
                           "NCCL_IB_ADDR_FAMILY",
                           "NCCL_IB_ADDR_RANGE",
                           "NCCL_IB_AR_THRESHOLD",
                           "NCCL_IB_CUDA_SUPPORT",
                           "NCCL_IB_DATA_DIRECT",
                           "NCCL_IB_DISABLE",
                           "NCCL_IB_ECE_ENABLE",
                           "NCCL_IB_FIFO_TC",
                           "NCCL_IB_GID_INDEX",
                           "NCCL_IB_HCA",
                           "NCCL_IB_MERGE_NICS",
                           "NCCL_IB_PCI_RELAXED_ORDERING",
                           "NCCL_IB_PKEY",
                           "NCCL_IB_QPS_PER_CONNECTION",
                           "NCCL_IB_RETRY_CNT",
                           "NCCL_IB_RETURN_ASYNC_EVENTS",
                           "NCCL_IB_ROCE_VERSION_NUM",
                           "NCCL_IB_SL",
                           "NCCL_IB_SPLIT_DATA_ON_QPS",
                           "NCCL_IB_TC",
                           "NCCL_IB_TIMEOUT",
                           "NCCL_IGNORE_CPU_AFFINITY",
                           "NCCL_LAUNCH_MODE",
                           "NCCL_LAUNCH_ORDER_IMPLICIT",
                           "NCCL_LL_BUFFSIZE",
                           "NCCL_MAX_CTAS",
                           "NCCL_MAX_NCHANNELS",
                           "NCCL_MIN_CTAS",
                           "NCCL_MIN_NCHANNELS",
                           "NCCL_MNNVL_ENABLE",
                           "NCCL_MNNVL_UUID",
                           "NCCL_NCHANNELS_PER_NET_PEER",
                           "NCCL_NET",
                           "NCCL_NETDEVS_POLICY",
                           "NCCL_NET_DISABLE_INTRA",
                           "NCCL_NET_FORCE_MERGE",
                           "NCCL_NET_GDR_C2C",
                           "NCCL_NET_GDR_LEVEL",
                           "NCCL_NET_GDR_READ",
                           "NCCL_NET_MERGE_LEVEL",
                           "NCCL_NET_PLUGIN",
                           "NCCL_NET_SHARED_BUFFERS",
                           "NCCL_NET_SHARED_COMMS",
                           "NCCL_NSOCKS_PERTHREAD",
                           "NCCL_NTHREADS",
                           "NCCL_NVB_DISABLE",
                           "NCCL_NVLS_ENABLE",
                           "NCCL_OOB_NET_ENABLE",
                           "NCCL_P2P_DIRECT_DISABLE",
                           "NCCL_P2P_DISABLE",
                           "NCCL_P2P_LEVEL",
                           "NCCL_P2P_NET_CHUNKSIZE",
                           "NCCL_PROFILER_PLUGIN",
                           "NCCL_PROGRAM_CACHE_SIZE",
                           "NCCL_PROTO",
                           "NCCL_PXN_C2C",
                           "NCCL_PXN_DISABLE",
                           "NCCL_RAS_ADDR",
                           "NCCL_RAS_ENABLE",
                           "NCCL_RAS_TIMEOUT_FACTOR",
                           "NCCL_RUNTIME_CONNECT",
                           "NCCL_SET_STACK_SIZE",
                           "NCCL_SHM_DISABLE",
                           "NCCL_SINGLE_RING_THRESHOLD",
                           "NCCL_SOCKET_FAMILY",
                           "NCCL_SOCKET_IFNAME",
                           "NCCL_SOCKET_NTHREADS",
                           "NCCL_SOCKET_RETRY_CNT",
                           "NCCL_TOPO_DUMP_FILE",
                           "NCCL_TOPO_FILE",
                           "NCCL_TUNER_CONFIG_FILE",
                           "NCCL_TUNER_PLUGIN",
                           "NCCL_WIN_ENABLE",
                           "NCCL_WORK_FIFO_DEPTH"}) {
    EXPECT_FALSE(is_secret(name, "x")) << name;
  }
}

TEST(Secret, IsAUrlWithAPassword) {
  EXPECT_TRUE(is_secret("https_proxy", "http://ada:hunter2@proxy:3128"));
  EXPECT_TRUE(is_secret("INDEXES", "https://a/x https://ada:hunter2@b/x"));
  EXPECT_TRUE(is_secret("https_proxy", "http://ada:p@ss@proxy"));
  EXPECT_FALSE(is_secret("https_proxy", "http://proxy:3128"));
  EXPECT_FALSE(is_secret("https_proxy", "http://ada@proxy:3128"));
  EXPECT_FALSE(is_secret("A", "http://proxy:3128/a@b"));
  EXPECT_FALSE(is_secret("A", "a:b@c"));
}

TEST(Redacted, KeepsNamesAndTheOtherValues) {
  EXPECT_THAT(redacted({{"HF_TOKEN", "hf_1"}, {"NCCL_DEBUG", "INFO"}, {"EMPTY_KEY", ""}, {"A", "x"}}),
              ElementsAre(Pair("A", "x"), Pair("EMPTY_KEY", ""), Pair("HF_TOKEN", "<redacted>"),
                          Pair("NCCL_DEBUG", "INFO")));
  EXPECT_THAT(redacted({{"KEY", kRedacted}}), ElementsAre(Pair("KEY", kRedacted)));
}

}  // namespace
}  // namespace sxb
