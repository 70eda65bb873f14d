import '@sock/core';
