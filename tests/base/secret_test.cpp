#include "base/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <vector>

namespace sxb {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

TEST(RandomToken, Is128BitsOfHexAndNeverTheSame) {
  const std::string token = random_token();
  EXPECT_THAT(token, testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(token.size(), 32U);
  EXPECT_NE(token, random_token());
}

TEST(RandomBytes, AreAsManyAsAsked) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(33).size(), 33U);
  EXPECT_NE(random_bytes(33), random_bytes(33));
}

TEST(HmacSha256, MatchesTheVectorsOfRfc4231) {
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(SameSecret, ComparesEveryByte) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "abcd"));
}

std::string unhex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

/// `text` with one bit of each byte in turn the other way round.
std::vector<std::string> altered(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < text.size(); ++i) {
    all.push_back(text);
    all.back()[i] = static_cast<char>(all.back()[i] ^ (1 << (i % 8)));
  }
  return all;
}

TEST(SharedSecret, MatchesTheVectorsOfRfc7748) {
  const auto alice = pair_of(unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
  const auto bob = pair_of(unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  ASSERT_TRUE(alice && bob);
  EXPECT_EQ(hex(alice->public_key), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(hex(bob->public_key), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const auto one = shared_secret(alice->secret_key, bob->public_key);
  const auto other = shared_secret(bob->secret_key, alice->public_key);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(hex(*one), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  EXPECT_EQ(*one, *other);
}

TEST(SharedSecret, RefusesWhatIsNoKey) {
  const KeyPair pair = make_key_pair();
  EXPECT_FALSE(shared_secret(pair.secret_key, std::string(32, '\0'))) << "everybody gets the same";
  EXPECT_FALSE(shared_secret(pair.secret_key, pair.public_key.substr(1)));
  EXPECT_FALSE(shared_secret("", pair.public_key));
  EXPECT_FALSE(pair_of("short"));
}

TEST(Encrypt, MatchesTheVectorOfTheDraft) {
  // draft-irtf-cfrg-xchacha-03, A.3.1: nonce, ciphertext, tag.
  const std::string encrypted = unhex(
      "404142434445464748494a4b4c4d4e4f5051525354555657"
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6"
      "708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c9763"
      "7da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
  const std::string key = unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  EXPECT_EQ(decrypt(key, encrypted, unhex("50515253c0c1c2c3c4c5c6c7")),
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            "sunscreen would be it.");
}

TEST(Encrypt, ComesBackOnlyWholeWithTheKeyAndForThePurpose) {
  const std::string key = random_bytes(32);
  for (const std::string& text : {std::string(), std::string("x"), std::string(100'000, 'y')}) {
    const std::string encrypted = encrypt(key, text, "purpose");
    EXPECT_EQ(encrypted.size(), text.size() + 40);
    EXPECT_NE(encrypted, encrypt(key, text, "purpose")) << "another nonce";
    EXPECT_EQ(decrypt(key, encrypted, "purpose"), text);
    EXPECT_FALSE(decrypt(random_bytes(32), encrypted, "purpose"));
    EXPECT_FALSE(decrypt(key, encrypted, "another"));
  }
  const std::string encrypted = encrypt(key, "a text", "");
  for (const std::string& broken : altered(encrypted)) EXPECT_FALSE(decrypt(key, broken, ""));
  for (std::size_t size = 0; size < encrypted.size(); ++size)
    EXPECT_FALSE(decrypt(key, encrypted.substr(0, size), ""));
}

TEST(Seal, EachReaderCanReadItAndNobodyElse) {
  std::vector<KeyPair> readers(200);
  std::vector<std::string> keys;
  for (KeyPair& reader : readers) keys.push_back((reader = make_key_pair()).public_key);
  const std::string text = "the token and the env", sealed = seal(text, keys, "tasks");
  EXPECT_EQ(sealed.size(), text.size() + 76 + 32 * readers.size());
  EXPECT_EQ(sealed.find("token"), std::string::npos);
  for (const KeyPair& reader : readers) EXPECT_EQ(unseal(sealed, reader, "tasks"), text);
  EXPECT_FALSE(unseal(sealed, make_key_pair(), "tasks"));
  EXPECT_FALSE(unseal(sealed, readers[0], "another purpose"));
  EXPECT_FALSE(unseal(seal(text, {}, "tasks"), readers[0], "tasks"));
}

TEST(Seal, WhatWasChangedOrCutIsNotRead) {
  const KeyPair reader = make_key_pair();
  const std::string sealed = seal("text", {reader.public_key}, "");
  for (const std::string& broken : altered(sealed)) EXPECT_FALSE(unseal(broken, reader, ""));
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_FALSE(unseal(sealed.substr(0, size), reader, ""));
}

TEST(Seal, AReaderWhoseKeyIsNoneGetsNothing) {
  const KeyPair reader = make_key_pair();
  const std::string everybodys(32, '\0');  // a public half with which every secret half gives zeros
  const std::string sealed = seal("text", {everybodys, reader.public_key, "short"}, "");
  EXPECT_EQ(unseal(sealed, reader, ""), "text");
  EXPECT_FALSE(unseal(sealed, {everybodys, make_key_pair().secret_key}, ""));
}

}  // namespace
}  // namespace sxb
