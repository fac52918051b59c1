// Makes the new key of a room, and sends it wrapped for the public key of who makes it.
"use strict";

const SHA = { name: "RSA-OAEP", hash: "SHA-256" };

const madeFor = async (publicKey) => {
  const { subtle } = crypto;
  const owner = await subtle.importKey("jwk", JSON.parse(publicKey), SHA, false, ["encrypt"]);
  const made = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, [
    "encrypt",
    "decrypt",
  ]);
  const text = JSON.stringify(await subtle.exportKey("jwk", made));
  const wrapped = await subtle.encrypt(SHA, owner, new TextEncoder().encode(text));
  const id = crypto.randomUUID();
  return { id, key: id + btoa(String.fromCharCode(...new Uint8Array(wrapped))) };
};

for (const form of document.querySelectorAll("form[data-e2e-room-key]")) {
  const failed = document.getElementById("e2e-room-key-failed");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const { id, key } = await madeFor(failed.dataset.e2ePublicKey);
      form.elements.e2eKeyId.value = id;
      form.elements.e2eKey.value = key;
    } catch {
      failed.hidden = false;
      failed.scrollIntoView({ block: "center" });
      return;
    }
    form.submit();
  });
}
